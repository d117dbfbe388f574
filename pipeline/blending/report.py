"""What is said of a blend: its report beside that of its runs, and what is worth knowing."""

from __future__ import annotations

from collections.abc import Iterator

from features.messages import listed
from pipeline.blending.blend import EQUAL, LEARNED, SELECTED
from pipeline.evaluation.evaluation import Difference
from pipeline.evaluation.result import BLEND_NAME, BlendResult, Weighting
from pipeline.reports.report import (
    advice_lines,
    calibration_line,
    class_lines,
    score_table,
    spread_lines,
    wrapped,
)
from pipeline.reports.verdict import score_lines


def blend_text(result: BlendResult) -> str:
    """Return the report of a blend."""
    blocks = [
        score_lines(result),
        advice_lines(result.advice),
        _scores(result),
        list(_gains(result)),
        _spreads(result),
        class_lines(result.classes),
        [*_leaked(result), wrapped(calibration_line(result.calibration))],
        [f"Note: {note}" for note in result.notes],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def blend_advice(best: str, gain: Difference) -> tuple[str, ...]:
    """Return what is worth knowing of a blend: where its best run alone is as good.

    Args:
        best: name of the run that is best on validation.
        gain: of the blend over it, on validation.
    """
    low, high = gain.interval
    if low > 0:
        return ()
    if high < 0:
        return (f"On validation texts the blend is worse than {best} alone: use that run.",)
    return (
        f"On validation texts the blend is not clearly better than {best} alone "
        f"({_points(gain)}), which predicts with less work.",
    )


def _scores(result: BlendResult) -> list[str]:
    named = [(f"{i}: {part.head}", part) for i, part in enumerate(result.parts, start=1)]
    scores = score_table(
        [
            ("validation", BLEND_NAME, result.validation),
            *(("", name, part.validation) for name, part in named),
            ("test", BLEND_NAME, result.test),
            *(("", name, part.test) for name, part in named),
            *(("", name, score) for _, name, score in result.baseline_rows),
        ]
    )
    weighted = result.weighting.kind != EQUAL
    told = [f", weight {weight:.2f}" if weighted else "" for weight in result.weights]
    parts = [
        f"{name} over {part.layout}{weight}, run {part.run}"
        for (name, part), weight in zip(named, told, strict=True)
    ]
    return [scores, "", *parts, _weighting(result.weighting)]


def _weighting(found: Weighting) -> str:
    """Return how the weights were found."""
    measured = ""
    if found.gain is not None and found.interval is not None:
        low, high = found.interval
        measured = f"by {found.gain:.4f} nats per text, 95 % interval {low:.4f} to {high:.4f}"
    if found.kind == SELECTED:
        left = f"; left out: {listed(found.left_out)}" if found.left_out else ""
        return f"weights: by a greedy search on validation, which they flatter{left}"
    if found.kind == LEARNED:
        return (
            "weights: learned on validation, which they flatter; on validation texts that they "
            f"were not learned on they lower the log loss {measured}"
        )
    if not measured:
        return "weights: equal"
    return f"weights: equal; learned ones lower the log loss on validation {measured}: noise"


def _gains(result: BlendResult) -> Iterator[str]:
    """The blend against the run that one would take without it."""
    best = f"{result.best_part + 1}: {result.parts[result.best_part].head}"
    yield f"The blend against {best}, the run that is best on validation:"
    for side, gain in (("validation", result.gain_validation), ("test", result.gain_test)):
        low, high = gain.interval
        told = "" if low > 0 or high < 0 else "; within noise"
        yield f"  {side:<11}{_points(gain)}{told}"


def _points(gain: Difference) -> str:
    low, high = gain.interval
    return (
        f"{100 * gain.mean:+.1f} points of accuracy, 95 % interval {100 * low:+.1f} to "
        f"{100 * high:+.1f}"
    )


def _spreads(result: BlendResult) -> list[str]:
    lines = spread_lines(result.seeds, result.over_seeds, result.folds, result.over_folds)
    if result.folds:
        lines += [
            "Test above: every text once, by heads that did not learn from it.",
            "The run predicts with the heads of fold 1, which learned from fewer texts.",
        ]
    return lines


def _leaked(result: BlendResult) -> Iterator[str]:
    if result.leaked:
        yield (
            f"{result.leaked:,} of {result.test.texts:,} test texts have a near-duplicate in "
            "the training texts: the reports of the runs have the scores without them."
        )
