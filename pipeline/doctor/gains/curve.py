"""A learning curve, and what it promises for more texts.

The error falls as a power of the number of training texts, at least over a few doublings
(Hestness et al., Deep learning scaling is predictable, empirically, 2017, arXiv:1712.00409):

    log error(n) = a + b log n,   b <= 0

A line is laid through a quarter, a half and all of the texts. Its interval is a bootstrap over
the validation texts, the trainings, and which two of the three points the slope is read off: a
power that changes along the curve is a kind of chance too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SHARES = (0.25, 0.5, 1.0)
"""Of the training texts; each twice the one before."""

RESAMPLES = 2000
FACTOR = 2
"""How many times the texts the promise is for."""


@dataclass(frozen=True)
class Curve:
    """A learning curve and its promise.

    Attributes:
        texts: training texts at each point.
        accuracies: on validation, mean of the trainings.
        promised: accuracy with twice the texts.
        gain: ``promised`` less the accuracy with all texts, in [-1, 1].
        interval: 95 % bootstrap interval of the gain.
    """

    texts: tuple[int, ...]
    accuracies: tuple[float, ...]
    promised: float
    gain: float
    interval: tuple[float, float]


def extrapolate(texts: tuple[int, ...], rights: list[np.ndarray]) -> Curve:
    """Return the promise of a learning curve for twice the texts.

    Args:
        texts: training texts at each point, rising.
        rights: at each point (k, m) bool, the validation texts that each of k trainings labels
            rightly; the same m texts everywhere.
    """
    random = np.random.default_rng(0)
    m = rights[0].shape[1]
    counts = random.multinomial(m, np.full(m, 1 / m), size=RESAMPLES)
    errors = []
    for each in rights:
        of_text = counts @ (~each.T).astype(np.float64) / m  # (RESAMPLES, k)
        drawn = random.integers(0, len(each), (RESAMPLES, len(each)))
        errors.append(np.take_along_axis(of_text, drawn, axis=1).mean(axis=1))
    own = np.array([1.0 - float(each.mean()) for each in rights])
    promised = _promise(np.array(texts), own[:, None], m)[0]
    resampled = np.array(errors)
    pairs = random.integers(0, 3, RESAMPLES)
    gains = resampled[-1] - _promise(np.array(texts), resampled, m, pairs)
    low, high = np.quantile(gains, [0.025, 0.975]).tolist()
    return Curve(
        tuple(texts),
        tuple((1.0 - own).tolist()),
        1.0 - float(promised),
        float(own[-1] - promised),
        (low, high),
    )


def _promise(
    texts: np.ndarray, errors: np.ndarray, m: int, pairs: np.ndarray | None = None
) -> np.ndarray:
    """Return (r,) errors with twice the texts of the last point, from (3, r) errors.

    Args:
        texts: (3,) training texts of the points.
        errors: (3, r) errors.
        m: validation texts; fewer errors than half a text are not believed.
        pairs: (r,) which of the points the slope is read off: 0 the last two, 1 the first two,
            2 the outer ones; None: a line through all.
    """
    x = np.log2(texts / texts[-1])
    y = np.log2(np.maximum(errors, 0.5 / m))
    slopes = [(y[b] - y[a]) / (x[b] - x[a]) for a, b in ((1, 2), (0, 1), (0, 2))]
    if pairs is None:
        centred = x - x.mean()
        slope = (centred[:, None] * y).sum(axis=0) / (centred**2).sum()
    else:
        slope = np.choose(pairs, slopes)
    slope = np.minimum(slope, 0.0)
    # From the last point, not from the line: it is measured, and the gain is counted from it.
    promised: np.ndarray = np.exp2(y[-1] + slope * np.log2(FACTOR))
    return promised


def part_of(
    labels: np.ndarray, rows: np.ndarray, share: float, random: np.random.Generator
) -> np.ndarray:
    """Return about a share of the rows, in each class, and at least one of each.

    Args:
        labels: (N,) int64.
        rows: (n,) int64.
        share: in (0, 1].
        random: draws them.
    """
    if share >= 1:
        return rows
    kept = []
    for each in np.unique(labels[rows]):
        own = random.permutation(rows[labels[rows] == each])
        kept.append(own[: max(1, round(share * len(own)))])
    return np.sort(np.concatenate(kept))
