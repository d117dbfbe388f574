"""What ``manyheads compare`` says to people."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from features.messages import listed, many
from pipeline.comparison.compared_run import ComparedRun
from pipeline.comparison.comparison import Comparison, Group
from pipeline.comparison.config import ALL
from pipeline.comparison.disagreements import only_right
from pipeline.comparison.standing import LEVEL, Pair, Standing
from pipeline.console import one_line, table
from pipeline.evaluation.evaluation import Difference

HEADER = (
    "",
    "run",
    "head",
    "vectors",
    "validation",
    "test (95 % interval)",
    "macro-F1",
    "calibration error (chance)",
    "seconds",
    "parameters",
    "bytes per text",
)
ALIGN = "><<<><>>>>>"
LONGEST_TEXT = 80


def comparison_text(found: Comparison) -> str:
    """Return the report: a table and its pairs for each group of runs."""
    blocks = []
    if len(found.groups) > 1:
        blocks.append(
            f"The runs are on different texts or sides, so they stand in {len(found.groups)} "
            "groups; scores of different groups cannot be compared (train --split-of gives a "
            "run the sides of another)."
        )
    for number, group in enumerate(found.groups, start=1):
        title = f"Group {number}: " if len(found.groups) > 1 else ""
        blocks += ["\n".join(block) for block in _group(group, title, found.examples) if block]
    if found.apart:
        blocks.append("\n".join(map(_apart, found.apart)))
    if found.out:
        count = sum(len(group.disagreements) for group in found.groups)
        blocks.append(f"{many(count, 'text')} on which runs differ: {found.out}")
    return "\n\n".join(blocks)


def _apart(run: ComparedRun) -> str:
    return f"not compared: {run.lacking or run.name}; its test accuracy: {run.scores.test.told}"


def _group(group: Group, title: str, examples: int) -> Iterator[list[str]]:
    first = group.runs[0].run.scores
    folds = group.runs[0].held_out.fold_count
    sides = (
        f"tested over {folds} folds on {many(first.test.texts, 'text')}"
        if folds
        else f"{many(first.validation.texts, 'validation text')}, "
        f"{many(first.test.texts, 'test text')}"
    )
    data = group.runs[0].run.facts.data_name
    yield [f"{title}{many(len(group.runs), 'run')} on {data}, {sides}"]
    several = len({run.run.facts.encoder for run in group.runs}) > 1
    rows = [_row(i, run, several) for i, run in enumerate(group.runs, start=1)]
    yield [table(HEADER, rows, ALIGN)]
    yield list(choice_lines(group))
    yield list(pair_lines(group))
    yield list(_examples(group, examples))


def _row(number: int, standing: Standing, encoders: bool) -> tuple[str, ...]:
    """Return the cells of a run, with its encoder where there are several."""
    run, scores = standing.run, standing.run.scores
    vectors = run.layout or "of its parts"
    found, cost = scores.calibration, run.cost
    return (
        str(number),
        run.name,
        run.facts.head,
        f"{vectors}, {run.facts.encoder_name}" if encoders else vectors,
        f"{scores.validation.accuracy:.1%}",
        scores.test.told,
        f"{scores.test.macro_f1:.1%}",
        f"{found.error_after:.1%} ({found.error_by_chance:.1%})",
        "-" if cost.seconds is None else f"{cost.seconds:.1f}",
        "-" if cost.parameters is None else f"{cost.parameters:,}",
        "-" if cost.bytes_per_text is None else f"{cost.bytes_per_text:,.0f}",
    )


def choice_lines(group: Group) -> Iterator[str]:
    """Yield which run of a group to choose, and by what."""
    if len(group.runs) == 1:
        yield "One run: train another head on the same data to compare."
        return
    yield (
        "Sorted by validation: choose by it. Test is for the report; the best of several on "
        "test is partly luck."
    )
    for number, run in enumerate(group.runs, start=1):
        if run.run.chosen:
            yield f"Run {number}: {run.run.chosen}"
    alike = [i for i, run in enumerate(group.runs) if run.within_noise]
    if len(alike) == 1:
        low, high = group.runs[1].behind.interval
        yield (
            f"On validation run 1 is ahead of all others beyond noise (of run 2 by "
            f"{_points(-high)} to {_points(-low)} points)."
        )
        return
    small = group.simplest
    yield (
        f"On validation runs {listed(i + 1 for i in alike)} are within noise of the best "
        f"(paired, 95 %); run {small + 1} has the fewest parameters of them."
    )


def pair_lines(group: Group) -> Iterator[str]:
    """Yield a line about each pair, on test."""
    if not group.pairs:
        return
    yield "On the same test texts:"
    for pair in group.pairs:
        yield f"  {_pair(group, pair)}"
        if pair.over_seeds is not None:
            yield f"    over seeds: {_seeds(pair, pair.over_seeds)}"
    tests = len(group.pairs)
    every = len(group.runs) * (len(group.runs) - 1) // 2
    method = "Intervals: paired bootstrap over the texts. p: McNemar's exact test"
    if tests > 1:
        method += (
            f", corrected for {tests} comparisons (Holm); the intervals are not: each holds "
            "for its pair alone"
        )
    yield f"{method}."
    if tests < every:
        yield f"Of all {every} pairs those with run 1; --pairs {ALL} compares the others too."


def _pair(group: Group, pair: Pair) -> str:
    ahead, behind = pair.first, pair.second
    difference, (low, high) = pair.heads.difference, pair.heads.interval
    won, lost = pair.heads.first_only, pair.heads.second_only
    if difference < 0:
        ahead, behind = behind, ahead
        difference, low, high, won, lost = -difference, -high, -low, lost, won
    first, second = _name(group, ahead), _name(group, behind)
    size = f"{_points(difference)} points, 95 % interval {_points(low)} to {_points(high)}"
    facts = (
        f"only the first is right on {many(won, 'text')}, only the second on {lost:,}; "
        f"p = {_probability(pair.p_corrected)}"
    )
    if pair.beyond_chance:
        return f"{first} is better than {second} by {size} ({facts})"
    if difference == 0:
        return f"{first} and {second} are equally often right ({facts})"
    told = "no difference beyond chance"
    if pair.heads.p < LEVEL:
        told = f"a difference beyond chance alone, but not as one of {len(group.pairs)} pairs"
    return f"{first} against {second}: {told}, {size} ({facts})"


def _seeds(pair: Pair, found: Difference) -> str:
    low, high = found.interval
    told = "" if low > 0 or high < 0 else ": no difference beyond chance"
    return (
        f"run {pair.first + 1} minus run {pair.second + 1} is {_points(found.mean)} points in "
        f"the mean, 95 % interval {_points(low)} to {_points(high)} as seeds and texts vary"
        f"{told}"
    )


def _examples(group: Group, most: int) -> Iterator[str]:
    """Yield texts that only one of the first two runs gets right."""
    if len(group.runs) < 2 or not most:
        return
    for winner, loser in ((0, 1), (1, 0)):
        found = list(only_right(group.disagreements, winner, loser))
        if not found:
            continue
        yield f"{_name(group, winner)} is right and {_name(group, loser)} wrong, for example:"
        for each in islice(found, most):
            text = one_line(each.text, LONGEST_TEXT) or "(no run kept the text)"
            wrong = one_line(each.predicted[loser])
            yield f"  row {each.row}: {one_line(each.label)}, not {wrong}: {text}"


def _name(group: Group, index: int) -> str:
    return f"run {index + 1} ({group.runs[index].run.facts.head})"


def _points(share: float) -> str:
    """Return a difference of accuracies in points; no minus before a zero."""
    return f"{100 * share:.1f}".replace("-0.0", "0.0")


def _probability(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.2g}"
