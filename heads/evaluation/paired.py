"""Paired comparisons: two heads, or many, on the same texts.

A pair is compared text by text, so that what makes a text hard or easy for both falls out:

    difference   mean over texts of (first right) - (second right), in [-1, 1]
    interval     its 95 % percentile bootstrap over the texts
    p            McNemar's exact test; where many pairs are tested, by Holm's method

Over seeds two sources of chance are added: other texts (variance v of the difference of the
shares of right heads, n texts), and other seeds (variances s of the accuracies, N and M seeds).

    mean +- sqrt(1.96^2 v / n + t(min(N, M) - 1)^2 (s_1 / N + s_2 / M))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from heads.evaluation.metrics import mcnemar, mean_interval


@dataclass(frozen=True)
class Paired:
    """Two heads on the same texts.

    Attributes:
        difference: accuracy of the first minus that of the second, in [-1, 1].
        interval: its 95 % bootstrap interval over the texts.
        first_only, second_only: how many texts only that head labels rightly.
        p: of McNemar's exact test, not corrected for other tests.
    """

    difference: float
    interval: tuple[float, float]
    first_only: int
    second_only: int
    p: float


def paired(first: np.ndarray, second: np.ndarray) -> Paired:
    """Compare two heads.

    Args:
        first, second: (n,) bool, the texts that each labels rightly, in one order.
    """
    gaps = first.astype(np.float64) - second
    return Paired(
        difference=float(gaps.mean()),
        interval=mean_interval(gaps),
        first_only=int(np.sum(first & ~second)),
        second_only=int(np.sum(second & ~first)),
        p=mcnemar(first, second),
    )


def paired_seeds(
    first: np.ndarray, second: np.ndarray
) -> tuple[float, tuple[float, float]] | None:
    """Return the difference of two kinds of head over seeds, with its 95 % interval.

    Args:
        first, second: (N, n) and (M, n) bool, the texts that the head of each seed labels
            rightly.

    Returns:
        The difference of the mean accuracies and its interval; None with one seed of a kind.
    """
    seeds = min(len(first), len(second))
    if seeds < 2:
        return None
    gaps = first.mean(axis=0) - second.mean(axis=0)
    from scipy.special import stdtrit  # slow to import; reading scores needs none

    by_seeds = sum(float(each.mean(axis=1).var(ddof=1)) / len(each) for each in (first, second))
    quantile = float(stdtrit(seeds - 1, 0.975))
    half = (1.96**2 * float(gaps.var()) / len(gaps) + quantile**2 * by_seeds) ** 0.5
    mean = float(gaps.mean())
    return mean, (mean - half, mean + half)


def holm(values: Sequence[float]) -> tuple[float, ...]:
    """Return the p-values of K tests, corrected for their number by Holm's method.

    In order from the smallest, the i-th of K is multiplied by K - i + 1; none becomes less
    than the one before it, or more than 1. Of all tests together, at most 5 % then have a
    value below 0.05 by chance alone (Holm, Scandinavian Journal of Statistics, 1979).
    """
    order = np.argsort(values, kind="stable")
    raised = np.array(values, np.float64)[order] * np.arange(len(values), 0, -1)
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(raised)) if len(values) else 0.0
    return tuple(corrected.tolist())
