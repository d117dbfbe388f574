"""The charts of a run: how it learned, and whether its confidence is true."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from heads.evaluation.calibration import Reliability, reliability
from heads.problem import EpochRecord
from heads.registry import HEADS
from pipeline.evaluation.result import ExperimentResult
from pipeline.pages.figures.chart import (
    Axis,
    Chart,
    Series,
    axis,
    draw,
    numbers_axis,
    shares_axis,
    tried_axis,
)
from pipeline.pages.figures.coverage import coverage_curve
from pipeline.pages.test_texts import TestTexts
from pipeline.runs.formats import HistoryLine

SMALL, LARGE = 2.5, 9.0
"""Radius of a dot of few texts, and how much that of all texts is larger."""


def curves(
    history: Sequence[HistoryLine], result: ExperimentResult, seed: int
) -> tuple[Chart, ...]:
    """Return loss and accuracy over the epochs, or over the values that were tried.

    The training whose head the run holds has strong lines.

    Args:
        history: of all trainings.
        seed: of that training; its fold is the first.
    """
    trainings: dict[tuple[int, int], list[EpochRecord]] = {}
    for line in history:
        trainings.setdefault((line.fold, line.seed), []).append(line.record)
    own = (min(fold for fold, _ in trainings), seed) if trainings else None
    if own not in trainings:
        return ()
    kind = HEADS.get(result.head)
    step, tried = (kind.step, bool(kind.values)) if kind else ("epoch", False)

    def place(record: EpochRecord) -> float:
        return record.value if tried else record.epoch

    places = [place(each) for records in trainings.values() for each in records]
    x = tried_axis(step, places) if tried else numbers_axis(step, round(max(places)))
    best = trainings[own][min(result.best_epoch, len(trainings[own])) - 1]
    mark = (place(best), f"best on validation: {step} {'= ' if tried else ''}{place(best):g}")
    return tuple(_curve(name, x, trainings, own, place, mark) for name in ("accuracy", "loss"))


def _curve(
    name: str,
    x: Axis,
    trainings: dict[tuple[int, int], list[EpochRecord]],
    own: tuple[int, int],
    place: Callable[[EpochRecord], float],
    mark: tuple[float, str],
) -> Chart:
    series = []
    for training in sorted(trainings, key=lambda each: each == own):
        for side in ("training", "validation"):
            field = f"{'train' if side == 'training' else side}_{name}"
            points = [(place(each), getattr(each, field)) for each in trainings[training]]
            strong = training == own
            kind = side if strong else f"{side} faint"
            dots = [2.5] * len(points) if strong and len(points) <= 40 else ()
            series.append(Series(side if strong else "", kind, points, dots))
    values = [value for each in series for _, value in each.points]
    y = shares_axis(name, values) if name == "accuracy" else axis(name, values)
    last = {each.name: each.points[-1][1] for each in series if each.name}
    shown = {side: _told(name, value) for side, value in last.items()}
    others = len(trainings) - 1
    by = f"by {x.name}" if x.logarithmic else "while it learned"
    light = f"; light: {others} other trainings" if others else ""
    told = (
        f"{name.capitalize()} at the end: {shown['training']} in training, "
        f"{shown['validation']} on validation. {mark[1].capitalize()}."
    )
    return draw(f"{name.capitalize()} {by}{light}", told, x, y, series, [mark])


def _told(name: str, value: float) -> str:
    if not math.isfinite(value):
        return "not measured"
    return f"{value:.1%}" if name == "accuracy" else f"{value:.3f}"


def calibration_chart(tests: TestTexts) -> Chart | None:
    """Return how often answers are right, by confidence; None without probabilities."""
    if tests.probabilities is None:
        return None
    found: Reliability = reliability(tests.labels, tests.probabilities)
    held = found.texts > 0
    confidence, accuracy = found.confidence[held].tolist(), found.accuracy[held].tolist()
    sizes = [
        SMALL + LARGE * math.sqrt(count / found.texts.sum())
        for count in found.texts[held].tolist()
    ]
    told = "; ".join(
        f"{count:,} texts with confidence {sure:.0%} are right in {share:.0%}"
        for count, sure, share in zip(
            found.texts[held].tolist(), confidence, accuracy, strict=True
        )
    )
    points = list(zip(confidence, accuracy, strict=True))
    return draw(
        "Confidence and accuracy",
        f"By confidence: {told}.",
        shares_axis("confidence"),
        shares_axis("share that is right"),
        [
            Series("as often right as confident", "even", [(0.0, 0.0), (1.0, 1.0)]),
            Series("this run; large dots are many texts", "own", points, sizes),
        ],
    )


def coverage_chart(tests: TestTexts) -> Chart:
    """Return the accuracy of the surest answers against their share."""
    points = coverage_curve(tests.right, tests.confidence)
    accuracies = [accuracy for _, accuracy in points]
    told = (
        f"Accuracy is {points[-1][1]:.1%} if every text is answered, and {points[0][1]:.1%} of "
        f"the surest {points[0][0]:.0%}."
    )
    return draw(
        "Accuracy if only the surest texts are answered",
        told,
        shares_axis("share of the texts that is answered"),
        shares_axis("share that is right", [max(0.0, min(accuracies) - 0.05), 1.0]),
        [Series("this run", "own", points)],
    )
