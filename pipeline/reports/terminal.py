"""Results for people: the table that ends a training run, and what must be said before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from heads.registry import head_type
from pipeline.console import short_label, table
from pipeline.evaluation.baselines import BASELINE_NAMES
from pipeline.evaluation.breakdown import ClassScore, Part
from pipeline.evaluation.evaluation import Score
from pipeline.evaluation.repeats import Estimate, RepeatedScore
from pipeline.evaluation.result import Calibration, ExperimentResult
from pipeline.progress import duration

SIMPLEST = "logistic"
COLLAPSE_REMEDY = {
    False: f"Lower learning_rate, or see whether --head {SIMPLEST} learns these labels.",
    True: "See with manyheads audit whether the texts tell these labels at all.",
}
"""What to do about a collapse; by whether the head is the simplest."""

SHOWN_CLASSES, WORST_CLASSES = 10, 5
"""Up to so many classes all are shown, of more the worst."""

LONGEST_NAME = 28

SIDE_WIDTH, NAME_WIDTH = 10, 16
"""Cells of the first columns of the scores at least."""

MIN_WIDTHS = (SIDE_WIDTH + 2 + NAME_WIDTH, 9, 9)
"""Cells of the columns of the other tables at least: their numbers stand below the scores."""


def result_text(result: ExperimentResult) -> str:
    """The table of one experiment and what it cost."""
    rest = result.test_without_leaked
    rows = [
        ("validation", result.head, result.validation),
        ("test", result.head, result.test),
        *([("uncopied", result.head, rest)] if rest and result.leaked else []),
        *(("test", BASELINE_NAMES[name], each) for name, each in result.baselines.items()),
    ]
    blocks = [
        [*_collapse_first(result), *_copies_first(result), *result.advice],
        [score_table(rows)],
        _repeats(result),
        class_lines(result.classes),
        [
            *_parts(result),
            _copies_line(result),
            calibration_line(result.calibration),
            *_cost(result),
        ],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def score_table(scores: Iterable[tuple[str, str, Score]]) -> str:
    """Return the table of scores, each with its side and the name of what is scored."""
    rows = [
        (side, name, f"{score.accuracy:.1%}", f"{score.macro_f1:.1%}", _interval(score))
        for side, name, score in scores
    ]
    header = ("", "", "accuracy", "macro-F1", "95 % interval of accuracy")
    return table(header, rows, align="<<>><", min_widths=(SIDE_WIDTH, NAME_WIDTH, 9, 9))


def _interval(score: Score) -> str:
    low, high = score.accuracy_interval
    return f"{low:.1%} to {high:.1%}"


def _collapse_first(result: ExperimentResult) -> Iterator[str]:
    """What must be said before any score: the head predicts one class for everything."""
    fallen = sum(each.collapsed for each in result.trainings)
    if result.collapse:
        found = result.collapse
        label = short_label(found.label, LONGEST_NAME)
        yield (
            f"The head has collapsed: it predicts '{label}' for "
            f"{found.predicted_share:.1%} of the test texts, where {found.label_share:.1%} are "
            f"right. {COLLAPSE_REMEDY[result.head == SIMPLEST]}"
        )
    elif fallen:
        yield (
            f"{fallen} of {len(result.trainings)} trainings have collapsed: they predict one "
            "class for almost every text. The head is not stable with these settings."
        )


def _copies_first(result: ExperimentResult) -> Iterator[str]:
    """What must be said before any score: copies in training change it beyond noise."""
    rest = result.test_without_leaked
    if not result.leakage_matters or rest is None:
        return
    low, high = rest.accuracy_interval
    verb = "flatter" if rest.accuracy < result.test.accuracy else "harm"
    yield (
        f"Copies {verb} this test: {result.leaked:,} of {result.test.texts:,} test texts have "
        f"a near-copy in training. Without them the accuracy is {rest.accuracy:.1%} "
        f"({low:.1%} to {high:.1%}), not {result.test.accuracy:.1%}; see manyheads audit."
    )


def _repeats(result: ExperimentResult) -> list[str]:
    """Mean and spread over seeds and over folds, and which head the run holds."""
    lines = spread_lines(result.seeds, result.over_seeds, result.folds, result.over_folds)
    if not lines:
        return []
    held = next(each for each in result.trainings if each.best)
    best = f"the best of {result.seeds} seeds on validation" if result.seeds > 1 else ""
    if result.folds:
        lines += [
            "test above: every text once, by a head that did not learn from it"
            + (f",\n{best}" if best else ""),
            f"the run holds the head of fold 1, seed {held.seed}",
        ]
    else:
        lines.append(f"above and in the run: seed {held.seed}, {best}")
    return lines


def spread_lines(
    seeds: int, over_seeds: RepeatedScore | None, folds: int, over_folds: RepeatedScore | None
) -> list[str]:
    """Mean, deviation and intervals over so many seeds and folds, where there are several."""
    lines = []
    if over_seeds:
        lines += _spread(f"over {seeds} seeds", "seeds", over_seeds)
    if over_folds:
        lines += _spread(f"over {folds} folds", "folds", over_folds)
    return lines


def _spread(name: str, others: str, spread: RepeatedScore) -> list[str]:
    low, high = spread.texts_interval
    rows = [
        _estimate("accuracy", spread.accuracy, others),
        ("", "", "", f"{low:.1%} to {high:.1%} (other test texts)"),
        _estimate("macro-F1", spread.macro_f1, others),
    ]
    header = (f"test, {name}", "mean", "deviation", "95 % interval of the mean")
    return [table(header, rows, align="<>><", min_widths=MIN_WIDTHS)]


def _estimate(name: str, estimate: Estimate, others: str) -> tuple[str, str, str, str]:
    low, high = estimate.interval
    return (
        name,
        f"{estimate.mean:.1%}",
        f"{estimate.deviation:.1%}",
        f"{low:.1%} to {high:.1%} (other {others})",
    )


def class_lines(scores: Sequence[ClassScore]) -> list[str]:
    """The classes; of many the worst ones."""
    occurring = [each for each in scores if each.f1 is not None]
    if not occurring:
        return []
    name = "class, on test"
    shown = occurring
    if len(occurring) > SHOWN_CLASSES:
        shown = sorted(occurring, key=lambda each: (each.f1, -each.support))[:WORST_CLASSES]
        name = f"the worst {WORST_CLASSES} of {len(occurring)} classes"
    rows = [
        (
            short_label(each.label, LONGEST_NAME),
            *map(_share, (each.precision, each.recall, each.f1)),
            f"{each.support:,}",
        )
        for each in shown
    ]
    return [table((name, "precision", "recall", "F1", "texts"), rows, "<>>>>", MIN_WIDTHS)]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _parts(result: ExperimentResult) -> Iterator[str]:
    """Accuracy by length and by truncation, where it differs beyond noise."""
    if result.by_length and result.by_length.differ:
        longest = result.by_length.parts[-1].tokens[1]
        shown = ", ".join(
            f"{part.accuracy:.1%} from {part.tokens[0]:,}" for part in result.by_length.parts
        )
        yield f"accuracy changes with length: {shown} to {longest:,} tokens"
    if result.by_truncation and result.by_truncation.differ:
        whole, cut = result.by_truncation.parts
        yield (
            f"accuracy changes with truncation: {_part(whole)} of {whole.texts:,} whole texts, "
            f"{_part(cut)} of {cut.texts:,} truncated ones"
        )


def _part(part: Part) -> str:
    low, high = part.accuracy_interval
    return f"{part.accuracy:.1%} ({low:.1%} to {high:.1%})"


def _copies_line(result: ExperimentResult) -> str:
    if not result.leaked:
        return "no test text has a near-copy in training"
    left = result.test.texts - result.leaked
    return (
        f"{result.leaked:,} of {result.test.texts:,} test texts have a near-copy in training; "
        f"uncopied: the other {left:,}"
    )


def calibration_line(found: Calibration) -> str:
    """Whether the probabilities are as sure as they are right."""
    return (
        f"expected calibration error on test: {found.error_before:.1%} without "
        f"temperature, {found.error_after:.1%} at that of predict, {found.temperature:.2f}; "
        f"{found.error_by_chance:.1%} is chance"
    )


def _cost(result: ExperimentResult) -> Iterator[str]:
    step = head_type(result.head).step
    yield (
        f"{result.encoded:,} texts encoded in {duration(result.seconds['encoding'])}; "
        f"{result.parameters:,} parameters trained in {duration(result.seconds['training'])}, "
        f"best {step}: {result.best_epoch} of {result.epochs}"
    )
    if result.refit:
        yield (
            "once chosen, it learned from the validation texts too: their score is from before "
            "(--set refit=false leaves that out)"
        )
    if result.truncated:
        yield (
            f"{result.truncated:,} texts are longer than the encoder sees: "
            f"{result.tokens_cut_share:.1%} of all tokens are cut off"
        )
    yield f"run: {result.run}"
