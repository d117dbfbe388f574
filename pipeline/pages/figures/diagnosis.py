"""The picture of the doctor's leading finding, drawn for its cause."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from features.messages import many
from pipeline.console import short_label
from pipeline.pages.figures.chart import Axis, Chart, Series, draw, numbers_axis, shares_axis
from pipeline.runs.files.verdict import StoredVerdict

COLLAPSED = 0.5
"""Effective predicted classes over effective labels, below which shares are drawn."""

MOST_NAMES, LONGEST_NAME = 12, 10

SLIPPED = "labels_unrelated"

LENGTHS = ("cut_off", "long_last_state")


def diagnosis_chart(verdict: StoredVerdict) -> Chart | None:
    """Return one picture for the leading finding; None where none says more than its words."""
    if not verdict.findings:
        return None
    leading, measured = verdict.findings[0], verdict.measurements
    if leading.cause in LENGTHS and (found := _by_length(measured)):
        return found
    if leading.cause == SLIPPED and (found := _by_position(measured)):
        return found
    epochs = (measured.get("learning") or {}).get("epochs") or []
    trial = next((each for each in leading.tried if each.curve), None)
    if trial is not None and epochs:
        before = [each["validation_accuracy"] for each in epochs]
        return _two_curves(trial.change, before, trial.curve)
    return _shares(measured)


def _two_curves(change: str, before: Sequence[float], after: Sequence[float]) -> Chart:
    sides = [
        (f"with the one change ({change})", "training", after),
        ("this run", "validation", before),
    ]
    series = [
        Series(name, kind, [(float(i), value) for i, value in enumerate(values, start=1)])
        for name, kind, values in sides
    ]
    told = (
        f"Validation accuracy ends at {before[-1]:.1%} in this run, and at {after[-1]:.1%} "
        f"with the one change ({change})."
    )
    longest = max(len(before), len(after))
    y = shares_axis("validation accuracy", [*before, *after])
    return draw("Only that was changed", told, numbers_axis("epoch", longest), y, series)


def _shares(measured: dict[str, Any]) -> Chart | None:
    """Return predicted against true shares of the classes, where few of them are predicted."""
    learning, labels = measured.get("learning") or {}, measured.get("labels") or {}
    predicted, counts = learning.get("predicted_shares"), labels.get("validation_counts")
    if not predicted or not counts or not sum(counts) or len(counts) != len(predicted):
        return None
    if learning["effective_classes"] >= COLLAPSED * learning["effective_labels"]:
        return None
    true = [count / sum(counts) for count in counts]
    names = [short_label(str(name), LONGEST_NAME) for name in labels["names"]]
    shown = names if len(names) <= MOST_NAMES else []
    ticks = tuple((float(i), name) for i, name in enumerate(shown))
    series = [
        Series(
            name, kind, [(float(i), share) for i, share in enumerate(shares)], [4.0] * len(true)
        )
        for name, kind, shares in (
            ("of the labels", "training", true),
            ("of the answers", "validation", predicted),
        )
    ]
    most = max(range(len(predicted)), key=predicted.__getitem__)
    told = (
        f"{predicted[most]:.0%} of the answers are {names[most]}, and {true[most]:.0%} of the "
        "labels."
    )
    x = Axis("class", 0.0, float(max(1, len(true) - 1)), ticks)
    y = shares_axis("share of the validation texts", [0.0, *true, *predicted])
    return draw("What is answered, and what is right", told, x, y, series)


def _by_length(measured: dict[str, Any]) -> Chart | None:
    parts = (measured.get("audit") or {}).get("accuracy_by_length") or []
    if len(parts) < 2:
        return None
    points = [(float(tokens), float(accuracy)) for tokens, _, accuracy in parts]
    told = ", ".join(f"{accuracy:.1%} at {tokens:.0f} tokens" for tokens, accuracy in points)
    return draw(
        "Accuracy by length of the text",
        f"Right are {told}.",
        numbers_axis("tokens", round(points[-1][0])),
        shares_axis("accuracy", [accuracy for _, accuracy in points]),
        [Series("validation texts", "own", points, [4.0] * len(points))],
    )


def _by_position(measured: dict[str, Any]) -> Chart | None:
    """Return how well labels fit to their texts along the file, and once they are moved."""
    near = measured.get("neighbours") or {}
    parts = near.get("by_position") or []
    if len(parts) < 2:
        return None
    rows = [float(row) for row, _, _ in parts]
    own = [share for _, share, _ in parts]
    moved = [share for _, _, share in parts if share is not None]
    offset, row = near.get("offset"), near.get("break_row")
    series = [Series("as the file has them", "validation", list(zip(rows, own, strict=True)))]
    told = [f"Nearest texts have the same label in {near['agreement']:.0%} of the cases"]
    if row is not None:
        told.append(
            f"{near['agreement_before']:.0%} before data row {row:,} and "
            f"{near['agreement_after']:.0%} behind it"
        )
    if len(moved) == len(rows) and offset is not None:
        ends = many(abs(offset), "row")
        points = list(zip(rows, moved, strict=True))
        series.insert(0, Series(f"moved back by {ends}", "training", points))
        told.append(f"{near['offset_agreement']:.0%} once they are moved back by {ends}")
    chance = [(rows[0], near["expected"]), (rows[-1], near["expected"])]
    series.append(Series("shuffled labels", "even", chance))
    return draw(
        "Label agreement by place in the file",
        f"{', '.join(told)}.",
        numbers_axis("data row", round(rows[-1])),
        shares_axis("nearest texts with the same label", [0.0, *own, *moved]),
        series,
        [] if row is None else [(float(row), f"data row {row:,}")],
    )
