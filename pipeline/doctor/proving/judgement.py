"""What a trial proves: confirmed, refuted or open. Nothing else calls a thing proven.

    confirmed   the interval of the difference lies above 0, and the difference is at least 2
                points or a quarter of what is missing
    refuted     the interval lies below 1 point
    open        otherwise

With few texts a rightness is coarse. There the log probability of the true class decides, if
the accuracy points the same way.

The interval is a bootstrap over the validation texts, each with both numbers. Of several trials
each is judged at the level that Holm's method gives it (Scandinavian Journal of Statistics,
1979), so that k changes do not find a difference by their number alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from heads.evaluation.metrics import class_counts
from pipeline.doctor.counterfactual import Expected, Trial

LEVEL = 0.05
POINTS, QUARTER = 0.02, 0.25
"""A difference counts from so many points, or from that share of what is missing."""

NOTHING = 0.01
"""An interval that ends below it says that the change does nothing."""

RESAMPLES = 4000

CLOSE = 0.05
"""A difference below it may be that of two seeds, so it is asked for with another one."""

COARSE = 200
"""Texts below which the log probability of the true class may decide."""

NATS = 0.05
"""A difference of the log probability counts from it."""

LIKELIHOOD = "log probability of the right class"

Outcome = Literal["confirmed", "refuted", "open"]


@dataclass(frozen=True)
class Judgement:
    """What a trial says of the cause.

    Attributes:
        before, after: the measure on both.
        gain: their difference in the direction that the cause expects; above 0 speaks for it.
        interval: of after - before.
        outcome: confirmed, refuted or open.
        p: share of the resamples in which the gain is 0 or less.
        measure: what ``before``, ``after`` and ``interval`` are.
    """

    before: float
    after: float
    gain: float
    interval: tuple[float, float]
    outcome: Outcome
    p: float
    measure: str = "accuracy"


def judge(
    trials: Sequence[tuple[Trial, Expected]],
    missing: float = 0.0,
    level: float = LEVEL,
    looks: Sequence[int] = (),
) -> tuple[Judgement, ...]:
    """Judge all trials of an examination together.

    Args:
        trials: each with what its measure does if the cause holds.
        missing: what the best known classifier is ahead by; 0 where that is not known.
        level: chance that any of them is confirmed though nothing is there.
        looks: how often each was looked at, since texts were added where it was open; () once.
            Its level is divided by that.
    """
    resampled = [_gains(trial, expected) for trial, expected in trials]
    ps = [float(np.mean(gains <= 0)) for _, _, gains in resampled]
    times = list(looks) or [1] * len(ps)
    levels = _holm([p * each for p, each in zip(ps, times, strict=True)], level)
    levels = [own / each for own, each in zip(levels, times, strict=True)]
    return tuple(
        _judged(trial, expected, values, p, own, missing)
        for (trial, expected), values, p, own in zip(trials, resampled, ps, levels, strict=True)
    )


def _judged(
    trial: Trial,
    expected: Expected,
    values: tuple[float, float, np.ndarray],
    p: float,
    level: float,
    missing: float,
) -> Judgement:
    before, after, gains = values
    sign = 1.0 if expected == "rises" else -1.0
    gain = sign * (after - before)
    low, high = np.quantile(gains, [level / 2, 1 - level / 2]).tolist()
    needed = min(POINTS, QUARTER * missing) if missing > 0 else POINTS
    outcome: Outcome = "open"
    if low > 0 and gain >= needed:
        outcome = "confirmed"
    elif high < NOTHING:
        outcome = "refuted"
    ends = (low, high) if sign > 0 else (-high, -low)
    judged = Judgement(before, after, gain, ends, outcome, p, trial.measure)
    if outcome != "open" or expected != "rises" or gain < needed:
        return judged
    return _by_likelihood(trial, judged, level)


def _by_likelihood(trial: Trial, judged: Judgement, level: float) -> Judgement:
    """Return the judgement by the log probability, where that decides and accuracy cannot."""
    if trial.likelihoods is None or len(trial.before) >= COARSE:
        return judged
    before, after = trial.likelihoods
    gains = _means(after - before, np.random.default_rng(0))
    low, high = np.quantile(gains, [level / 2, 1 - level / 2]).tolist()
    means = float(before.mean()), float(after.mean())
    if low <= 0 or means[1] - means[0] < NATS:
        return judged
    p = float(np.mean(gains <= 0))
    return Judgement(*means, judged.gain, (low, high), "confirmed", p, LIKELIHOOD)


def _gains(trial: Trial, expected: Expected) -> tuple[float, float, np.ndarray]:
    """Return the measure before and after, and its differences over the resamples.

    The differences are in the direction that is expected.
    """
    random = np.random.default_rng(0)
    sign = 1.0 if expected == "rises" else -1.0
    if trial.statistic == "macro_f1":
        return _macro_f1_gains(trial, sign, random)
    before, after = trial.before.astype(np.float64), trial.after.astype(np.float64)
    means = float(before.mean()), float(after.mean())
    if trial.paired:
        return *means, sign * _means(after - before, random)
    return *means, sign * (_means(after, random) - _means(before, random))


def _means(values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return (RESAMPLES,) means of resamples, drawn as counts of the distinct values."""
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) > len(values) // 2:  # numbers such as losses
        rows = random.integers(0, len(values), (RESAMPLES, len(values)))
        drawn: np.ndarray = values[rows].mean(axis=1)
        return drawn
    draws = random.multinomial(len(values), counts / len(values), size=RESAMPLES)
    means: np.ndarray = draws @ distinct / len(values)
    return means


def _macro_f1_gains(
    trial: Trial, sign: float, random: np.random.Generator
) -> tuple[float, float, np.ndarray]:
    assert trial.labels is not None
    labels, sides = trial.labels, (trial.before, trial.after)
    classes = int(max(labels.max(), *(side.max() for side in sides))) + 1

    def measure(rows: np.ndarray, predicted: np.ndarray) -> float:
        counts = class_counts(labels[rows], predicted[rows], classes)
        return float(np.nanmean(counts.f1))

    every = np.arange(len(labels))
    means = measure(every, sides[0]), measure(every, sides[1])
    gains = np.empty(RESAMPLES // 4)
    for number in range(len(gains)):
        rows = random.integers(0, len(labels), len(labels))
        gains[number] = measure(rows, sides[1]) - measure(rows, sides[0])
    return *means, sign * gains


def _holm(ps: Sequence[float], level: float) -> list[float]:
    """Return the level of each of k tests: the i-th smallest p gets level / (k - i + 1).

    Behind the first that fails, all keep its level, the strictest that is left.
    """
    levels = [level] * len(ps)
    left, failed = len(ps), None
    for position in sorted(range(len(ps)), key=ps.__getitem__):
        own = level / left if failed is None else failed
        levels[position] = own
        if failed is None and ps[position] > own / 2:
            failed = own
        left -= 1
    return levels
