"""The charts of a study: accuracy against time, what choosing is worth, repeats, settings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from heads.registry import HEADS
from pipeline.pages.figures.chart import (
    Axis,
    Chart,
    Series,
    Spot,
    axis,
    draw,
    numbers_axis,
    shares_axis,
)
from pipeline.progress import duration
from pipeline.search.candidate import BASELINES, Trial
from pipeline.search.judging.finalists import Finalist
from pipeline.search.judging.flattery import Luck
from pipeline.search.judging.shares import Share

LOW = 0.1
"""Share of the trials that may lie below a chart's lowest accuracy; they stand at its edge."""

MANY_TIMES = 10
"""From so much between the least and the most on, an axis is logarithmic."""

MOST_VALUES, LONGEST_VALUE = 8, 12
"""Values of a setting that an axis names, and letters of each."""


def heads_of(trials: Sequence[Trial]) -> list[str]:
    """Return the heads of some trials, in the order of the registry: their symbols."""
    present = {trial.candidate.head for trial in trials}
    return [name for name in HEADS if name in present]


def scored(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials of heads that have an accuracy."""
    return [
        trial
        for trial in trials
        if not trial.outcome.failed and trial.candidate.head not in BASELINES
    ]


def accuracy_axis(trials: Sequence[Trial]) -> Axis:
    """Return an axis for the accuracies of trials; a few may lie below it."""
    found = [trial.outcome.accuracy for trial in trials]
    low = float(np.quantile(found, LOW)) if found else 0.0
    return shares_axis("accuracy on validation", [value for value in found if value >= low])


def time_chart(trials: Sequence[Trial]) -> Chart | None:
    """Return every trial by the seconds of training until it ended; None without any."""
    chosen = scored(trials)
    if not chosen:
        return None
    heads = heads_of(chosen)
    seconds = elapsed(trials)
    unit, name = (60.0, "minutes") if max(seconds) > 180 else (1.0, "seconds")
    y = accuracy_axis(chosen)
    spots, best, path = [], 0.0, []
    for trial, end in zip(trials, seconds, strict=True):
        if trial.outcome.failed or trial.candidate.head in BASELINES:
            continue
        x, accuracy = end / unit, trial.outcome.accuracy
        head = trial.candidate.head
        spots.append(Spot(head, heads.index(head), x, max(accuracy, y.low), told(trial)))
        if trial.outcome.whole and accuracy > best:
            path += [(x, max(best, y.low)), (x, max(accuracy, y.low))]
            best = accuracy
    path.append((seconds[-1] / unit, max(best, y.low)))
    spots.sort(key=lambda each: each.kind)
    return draw(
        "Every trial, and the best so far",
        f"{len(chosen):,} trials in {duration(seconds[-1])} of training; the best has "
        f"{best:.1%}.",
        axis(f"{name} of training", [0.0, seconds[-1] / unit]),
        y,
        [Series("the best so far", "own", path[1:])],
        spots=spots,
    )


def elapsed(trials: Sequence[Trial]) -> list[float]:
    """Return for each trial the seconds of training until it ended, without pauses."""
    used, until, found = 0.0, -math.inf, []
    for trial in trials:
        end = trial.outcome.ended
        used += max(0.0, end - max(end - trial.outcome.seconds, until))
        until = max(until, end)
        found.append(used)
    return found


def told(trial: Trial) -> str:
    """Return a trial in a line."""
    outcome = trial.outcome
    stopped = f", stopped after epoch {len(outcome.curve)}" if outcome.stopped else ""
    return f"{outcome.accuracy:.1%}{stopped}: {trial.candidate.words()}"


def luck_chart(luck: Sequence[Luck], repeats: float | None, test: float | None) -> Chart | None:
    """Return what choosing the best of n trials seems to be worth, and what it is worth.

    Args:
        luck: by n.
        repeats: mean accuracy of the winner with other seeds; None: not known.
        test: its accuracy on test; None: not known.
    """
    if len(luck) < 2:
        return None
    last = luck[-1]
    lines = [
        ("the winner with other seeds", repeats, "even"),
        ("its run on test", test, "test"),
    ]
    series = [
        Series("on the texts that choose it", "training", _points(luck, "chosen")),
        Series("the same choice on other texts", "validation", _points(luck, "others")),
    ]
    series += [
        Series(name, kind, [(1.0, value), (float(last.trials), value)])
        for name, value, kind in lines
        if value is not None
    ]
    values = [y for each in series for _, y in each.points]
    words = (
        f"The best of {last.trials:,} trials has {last.chosen:.1%} on the texts that choose "
        f"it, and {last.others:.1%} on other texts."
    )
    return draw(
        "The best of n trials flatters validation",
        words,
        numbers_axis("trials to choose from", last.trials),
        shares_axis("accuracy", values),
        series,
    )


def _points(luck: Sequence[Luck], name: str) -> list[tuple[float, float]]:
    return [(float(each.trials), float(getattr(each, name))) for each in luck]


def repeats_chart(found: Sequence[Finalist]) -> Chart | None:
    """Return the finalists with the score of the search, and that of each other seed."""
    if not found:
        return None
    spots = []
    for place, one in enumerate(found, start=1):
        y = float(len(found) + 1 - place)
        name = f"{place}: {one.candidate.words()}"
        spots.append(Spot("in the search", 3, one.search, y, f"{one.search:.1%}, {name}"))
        if one.repeated:
            spots += [
                Spot("another seed", 0, value, y, f"{value:.1%}, {name}") for value in one.seeds
            ]
            spots.append(Spot("their mean", 6, one.mean, y, f"{one.mean:.1%}, {name}"))
    values = [each.x for each in spots]
    ticks = tuple((float(len(found) + 1 - i), str(i)) for i in range(1, len(found) + 1))
    winner = found[0]
    return draw(
        "The best again, with other seeds",
        f"The winner has {winner.search:.1%} in the search and {winner.mean:.1%} in the mean "
        f"of {len(winner.seeds)} other seeds.",
        shares_axis("accuracy on validation", values),
        Axis("finalist", 0.5, len(found) + 0.5, ticks),
        [],
        spots=spots,
    )


def setting_charts(trials: Sequence[Trial], found: Sequence[Share], most: int) -> list[Chart]:
    """Return accuracy against the values of the settings that mattered most.

    Args:
        trials: all of the study.
        found: the largest share first.
        most: charts.
    """
    charts = []
    for share in [each for each in found if each.head][:most]:
        own = [
            trial
            for trial in scored(trials)
            if trial.candidate.head == share.head and share.setting in trial.candidate.settings
        ]
        values = [trial.candidate.settings[share.setting] for trial in own]
        x, places = value_axis(share.setting, values)
        y = accuracy_axis(own)
        spots = [
            Spot("", 0, place, max(trial.outcome.accuracy, y.low), told(trial))
            for trial, place in zip(own, places, strict=True)
        ]
        title = f"{share.head}: {share.setting} ({share.share:.0%} of the differences)"
        best = f"{title}. Best: {share.best or 'none'}."
        charts.append(draw(title, best, x, y, [], spots=spots))
    return charts


def value_axis(name: str, values: Sequence[Any]) -> tuple[Axis, list[float]]:
    """Return an axis for the values of a setting, and where each value stands on it.

    Numbers stand where they are, on a logarithmic axis if they lie far apart; other values,
    and few numbers, stand side by side.
    """
    numbers = [
        float(each)
        for each in values
        if isinstance(each, int | float) and not isinstance(each, bool)
    ]
    if len(numbers) == len(values) and len(set(numbers)) > MOST_VALUES:
        low, high = min(numbers), max(numbers)
        if low > 0 and high / low >= MANY_TIMES:
            return log_axis(name, low, high), numbers
        return axis(name, numbers, 4), numbers
    distinct = sorted(set(values), key=lambda each: (isinstance(each, str), each))
    index = {value: float(i) for i, value in enumerate(distinct)}
    step = 1 + (len(distinct) - 1) // MOST_VALUES
    ticks = tuple((index[each], value_name(each)) for each in distinct[::step])
    return Axis(name, -0.5, len(distinct) - 0.5, ticks), [index[each] for each in values]


def value_name(value: object) -> str:
    """Return a value of a setting for an axis."""
    shown = f"{value:.3g}" if isinstance(value, float) else str(value) or "none"
    return shown if len(shown) <= LONGEST_VALUE else f"{shown[: LONGEST_VALUE - 1]}…"


def log_axis(name: str, low: float, high: float) -> Axis:
    """Return a logarithmic axis with ticks at 1, 2 and 5 times the powers of ten."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [times * 10.0**power for power in powers for times in (1, 2, 5)]
    inside = [each for each in ticks if low <= each <= high]
    if len(inside) > MOST_VALUES:
        inside = [each for each in inside if f"{each:e}"[0] == "1"]
    return Axis(name, low, high, tuple((each, f"{each:g}") for each in inside), True)
