"""The whole report of a run, ``report.txt``: every score in tables, and what they mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from textwrap import fill

from pipeline.console import one_line, short_label, table
from pipeline.evaluation.breakdown import ClassScore, Part
from pipeline.evaluation.repeats import Estimate, RepeatedScore
from pipeline.evaluation.result import Calibration, ExperimentResult, ScoreRow
from pipeline.progress import duration
from pipeline.reports.verdict import REPORT, score_lines

SHOWN_CLASSES, WORST_CLASSES = 10, 5
"""Up to so many classes all are shown, of more the worst."""

LONGEST_NAME = 28

LINE_WIDTH = 96
"""Characters of a line of sentences."""

SIDE_WIDTH, NAME_WIDTH = 10, 16
"""Cells of the first columns of the scores at least."""

MIN_WIDTHS = (SIDE_WIDTH + 2 + NAME_WIDTH, 9, 9)
"""Cells of the columns of the other tables at least: their numbers stand below the scores."""


def write_report(folder: Path, text: str) -> None:
    """Write the report of a run into its folder."""
    (folder / REPORT).write_text(f"{text}\n", encoding="utf-8")


def result_text(result: ExperimentResult) -> str:
    """Return the report of one experiment."""
    blocks = [
        score_lines(result),
        advice_lines(result.advice),
        [score_table(result.rows)],
        _repeats(result),
        class_lines(result.classes) if result.test.enough else [],
        [*part_lines(result), *leaked_lines(result), *_calibration(result)],
        _coverage(result),
        [wrapped(line) for line in cost_lines(result)],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def advice_lines(advice: Sequence[str]) -> list[str]:
    """Return what is worth knowing."""
    points = [wrapped(f"- {one_line(each)}", "  ") for each in advice]
    return ["Worth knowing:", *points] if advice else []


def wrapped(sentences: str, indent: str = "") -> str:
    """Return sentences on lines that fit a page; ``indent`` begins all but the first."""
    return fill(
        sentences,
        LINE_WIDTH,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def score_table(scores: Iterable[ScoreRow]) -> str:
    """Return the table of scores, each with its side and the name of what is scored."""
    rows = [(side, name, *score.cells, f"{score.texts:,}") for side, name, score in scores]
    header = ("", "", "accuracy", "macro-F1", "95 % interval of accuracy", "texts")
    widths = (SIDE_WIDTH, NAME_WIDTH, 9, 9)
    return table(header, rows, align="<<>><>", min_widths=widths, fold=False)


def _repeats(result: ExperimentResult) -> list[str]:
    """Mean and spread over seeds and over folds, and which head the run holds."""
    lines = spread_lines(result.seeds, result.over_seeds, result.folds, result.over_folds)
    if not lines:
        return []
    held = next(each for each in result.trainings if each.best)
    best = f"the best of {result.seeds} seeds on validation" if result.seeds > 1 else ""
    if result.folds:
        lines += [
            "Test above: every text once, by a head that did not learn from it"
            + (f",\n{best}." if best else "."),
            f"The run holds the head of fold 1, seed {held.seed}; it has learned from fewer.",
        ]
    else:
        lines.append(f"Above and in the run: seed {held.seed}, {best}.")
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
    return [table(header, rows, align="<>><", min_widths=MIN_WIDTHS, fold=False)]


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
    header = (name, "precision", "recall", "F1", "texts")
    return [table(header, rows, "<>>>>", MIN_WIDTHS, fold=False)]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def part_lines(result: ExperimentResult) -> Iterator[str]:
    """Yield accuracy by length and by truncation, where it differs beyond noise."""
    if result.by_length and result.by_length.differ:
        longest = result.by_length.parts[-1].tokens[1]
        shown = ", ".join(
            f"{part.accuracy:.1%} from {part.tokens[0]:,}" for part in result.by_length.parts
        )
        yield f"Accuracy changes with length: {shown} to {longest:,} tokens."
    if result.by_truncation and result.by_truncation.differ:
        whole, cut = result.by_truncation.parts
        yield (
            f"Accuracy changes with truncation: {_part(whole)} of {whole.texts:,} whole texts, "
            f"{_part(cut)} of {cut.texts:,} truncated ones."
        )


def _part(part: Part) -> str:
    low, high = part.accuracy_interval
    return f"{part.accuracy:.1%} ({low:.1%} to {high:.1%})"


def leaked_lines(result: ExperimentResult) -> Iterator[str]:
    """Yield how many test texts leaked into training, and what the others score."""
    if not result.leaked:
        yield "No test text has a near-duplicate among the training texts."
        return
    yield (
        f"{result.leaked:,} of {result.test.texts:,} test texts have a near-duplicate in the "
        "training texts."
    )
    rest = result.test_without_leaked
    if rest is None:
        return
    if rest.enough:
        yield f"The other {rest.texts:,} score {rest.told}: 'test, not leaked' in the table."
    else:
        yield f"The other {rest.texts:,} are too few for a score of their own."


def _calibration(result: ExperimentResult) -> list[str]:
    return [wrapped(calibration_line(result.calibration))] if result.test.enough else []


def calibration_line(found: Calibration) -> str:
    """Return whether confidences can be trusted, in words."""
    return (
        f"The confidences of predict are {100 * found.error_after:.1f} points away from how "
        "often they are right, on average (expected calibration error on test). With so many "
        f"texts chance alone gives {100 * found.error_by_chance:.1f}. Without the correction "
        f"by temperature ({found.temperature:.2f}) it would be {100 * found.error_before:.1f}."
    )


def _coverage(result: ExperimentResult) -> list[str]:
    """Accuracy of the most confident texts; predict --abstain labels these alone."""
    if not (result.accuracy_by_coverage and result.test.enough):
        return []
    rows = [(f"{share:.0%}", f"{found:.1%}") for share, found in result.accuracy_by_coverage]
    header = ("the most confident, on test", "accuracy")
    return [table(header, rows, align="<>", min_widths=MIN_WIDTHS, fold=False)]


def cost_lines(result: ExperimentResult) -> Iterator[str]:
    """Yield what was done, what it took, and what to know of it."""
    yield (
        f"{result.encoded:,} texts encoded in {duration(result.seconds['encoding'])}; "
        f"{result.parameters:,} parameters trained in {duration(result.seconds['training'])}."
    )
    if result.chosen:
        yield f"Chosen on the validation texts: {result.chosen}."
    if result.refit:
        yield (
            "After that the head was trained again, on the training and the validation texts. "
            "Their score in the table is that of the head before (--set refit=false trains on "
            "the training texts only)."
        )
    if result.truncated:
        yield (
            f"{result.truncated:,} texts are longer than the encoder sees: "
            f"{result.tokens_cut_share:.1%} of all tokens are cut off. See more of them with "
            "--max-tokens."
        )
    if result.mean_absolute_error is not None:
        yield (
            f"Taken as numbers, predictions are {result.mean_absolute_error:.2f} away from the "
            "labels on average (mean absolute error on test)."
        )
    yield from (f"Note: {note}" for note in result.notes)
