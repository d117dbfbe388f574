"""Metrics: accuracy with its interval, F1 per class, confusion, log loss, significance tests.

Labels and predictions are class ids, both (n,) int64, n at least 1, labels first. Labels of
classes that training did not have are C or more; no prediction can equal them, so they score as
errors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

RESAMPLES = 2000

Z_95 = 1.959963984540054
"""Half of a 95 % interval in standard deviations; its import from scipy is slow."""

LEAST_EXPECTED = 5
"""Minimum expected texts per cell in a chi-squared test (Cochran, Biometrics, 1954)."""


def accuracy(labels: np.ndarray, predicted: np.ndarray) -> float:
    """Return share of right predictions, in [0, 1]."""
    return float(np.mean(predicted == labels))


@dataclass(frozen=True, eq=False)
class ClassCounts:
    """Counts per class for its metrics, all (C,) int64.

    Attributes:
        hits: texts of the class that were predicted as it.
        truths: texts of the class.
        answers: texts predicted as it.
    """

    hits: np.ndarray
    truths: np.ndarray
    answers: np.ndarray

    @property
    def f1(self) -> np.ndarray:
        """(C,) float64: 2 hits / (truths + answers); NaN for a class that occurs in neither."""
        with np.errstate(invalid="ignore"):
            measures: np.ndarray = 2.0 * self.hits / (self.truths + self.answers)
        return measures


def class_counts(labels: np.ndarray, predicted: np.ndarray, classes: int) -> ClassCounts:
    """Count per class; ``classes`` is the number of class ids."""
    return ClassCounts(
        hits=np.bincount(labels[predicted == labels], minlength=classes),
        truths=np.bincount(labels, minlength=classes),
        answers=np.bincount(predicted, minlength=classes),
    )


def macro_f1(labels: np.ndarray, predicted: np.ndarray) -> float:
    """Return the mean over classes of F1 = 2 hits / (occurrences among labels and predictions).

    Classes that occur in neither are left out, as in scikit-learn. A class that training did
    not have counts as 0.
    """
    classes = int(max(labels.max(), predicted.max())) + 1
    return float(np.nanmean(class_counts(labels, predicted, classes).f1))


def confusion(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Count pairs of label and prediction.

    Args:
        classes: number of class ids, unknown ones included.

    Returns:
        (classes, classes) int64, rows the labels, columns the predictions.

    Raises:
        ValueError: an id is ``classes`` or more.
    """
    highest = int(max(labels.max(), predicted.max()))
    if highest >= classes:
        raise ValueError(f"ids must be below classes = {classes}, but {highest} occurs")
    pairs = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return pairs.reshape(classes, classes)


def log_loss(labels: np.ndarray, logits: np.ndarray) -> float:
    """Return the mean cross-entropy in nats of (n, C) logits over labels below C, or NaN."""
    known = np.flatnonzero(labels < logits.shape[1])
    if len(known) == 0:
        return float("nan")
    chosen = logits[known].astype(np.float64)
    right = chosen[np.arange(len(known)), labels[known]]
    return float(np.mean(np.logaddexp.reduce(chosen, axis=1) - right))


def accuracy_interval(
    labels: np.ndarray, predicted: np.ndarray, confidence: float = 0.95
) -> tuple[float, float]:
    """Return Wilson's confidence interval of the accuracy (Probable inference, JASA, 1927).

    It is reliable for few texts and near 100 %, where a bootstrap of all-right predictions
    gives an interval of length 0.

    Args:
        confidence: share of such intervals that contain the true accuracy.
    """
    return _wilson(int(np.sum(predicted == labels)), len(labels), confidence)


def share_interval(
    shares: np.ndarray, seed: int = 0, resamples: int = RESAMPLES, confidence: float = 0.95
) -> tuple[float, float]:
    """Return a confidence interval of the mean of (n,) shares, one per text.

    Such a share is, for example, that of several heads that label a text rightly. The interval
    is Wilson's if every share is 0 or 1, as for one head, and otherwise by bootstrap.

    Args:
        seed, resamples, confidence: as for ``mean_interval``.
    """
    if np.all((shares == 0) | (shares == 1)):
        return _wilson(int(shares.sum()), len(shares), confidence)
    return mean_interval(shares, seed, resamples, confidence)


def _wilson(right: int, texts: int, confidence: float) -> tuple[float, float]:
    z = Z_95 if confidence == 0.95 else NormalDist().inv_cdf(0.5 + confidence / 2)
    centre = (right + z**2 / 2) / (texts + z**2)
    half = z / (texts + z**2) * math.sqrt(right * (texts - right) / texts + z**2 / 4)
    share = right / texts  # the ends are exact but for rounding
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def mean_interval(
    values: np.ndarray, seed: int = 0, resamples: int = RESAMPLES, confidence: float = 0.95
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean of (n,) values, one per text.

    It serves values that are not just right or wrong, such as the difference of two heads
    (Efron, Annals of Statistics, 1979). A resample is one multinomial draw of the counts of
    distinct values. If few texts differ from the rest, the interval is too narrow.

    Args:
        seed: the same seed gives the same interval.
        resamples: number of resamples.
        confidence: share of the resamples inside the interval.
    """
    random = np.random.default_rng(seed)
    distinct, counts = np.unique(values, return_counts=True)
    shares = counts / len(values)
    means = [
        random.multinomial(len(values), shares) @ distinct / len(values)
        for _ in range(resamples)
    ]
    tail = (1.0 - confidence) / 2
    lower, upper = np.quantile(means, [tail, 1.0 - tail])
    return float(lower), float(upper)


def differ(right: np.ndarray, texts: np.ndarray, level: float = 0.05) -> bool:
    """Return whether the accuracies of several groups of texts differ significantly.

    Pearson's chi-squared test of homogeneity; for two groups it is the z test of two
    proportions, and Fisher's exact test if an expected count is below 5.

    Args:
        right: (G,) texts labelled rightly in each group.
        texts: (G,) texts in each group, none of them 0.
        level: maximum share of tests that find a difference where there is none.
    """
    expected = right.sum() / texts.sum()
    variance = texts * expected * (1.0 - expected)
    if len(texts) < 2 or not np.all(variance > 0):
        return False
    if len(texts) == 2 and texts.min() * min(expected, 1.0 - expected) < LEAST_EXPECTED:
        return _fisher(np.rint(right), texts) < level
    statistic = float(np.sum((right - texts * expected) ** 2 / variance))
    return _chi_squared_above(statistic, len(texts) - 1) < level


def _chi_squared_above(value: float, freedom: int) -> float:
    """Return the chance that a chi-squared number is above a value.

    For 1 degree of freedom it is erfc(sqrt(h)), for 2 it is exp(-h), with h half the value;
    each 2 more add h^a exp(-h) / Gamma(a + 1), a being half the degrees before.
    """
    half, odd = value / 2, freedom % 2
    chance = math.erfc(math.sqrt(half)) if odd else math.exp(-half)
    for twice in range(2 - odd, freedom, 2):
        a = twice / 2
        chance += math.exp(a * math.log(half) - half - math.lgamma(a + 1)) if half else 0.0
    return chance


def _fisher(right: np.ndarray, texts: np.ndarray) -> float:
    """Return the probability of a division of the right labels as rare as this or rarer."""
    total, one, all_right = int(texts.sum()), int(texts[0]), int(right.sum())
    first = np.arange(max(0, all_right - int(texts[1])), min(one, all_right) + 1)
    logs = _log_choices(one, first) + _log_choices(total - one, all_right - first)
    chances = np.exp(logs - _log_choices(total, np.array(all_right)))
    seen = chances[int(right[0]) - first[0]]
    return float(chances[chances <= seen * (1 + 1e-7)].sum())


def _log_choices(texts: int, chosen: np.ndarray) -> np.ndarray:
    """Return the logarithm of the number of ways to choose ``chosen`` of ``texts``."""
    logs = _log_factorials(texts)
    choices: np.ndarray = logs[texts] - logs[chosen] - logs[texts - chosen]
    return choices


def _log_factorials(most: int) -> np.ndarray:
    """Return (most + 1,) float64: the logarithms of 0!, 1!, ..., most!."""
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, most + 1)))])


def answers_differ(one: np.ndarray, other: np.ndarray, level: float = 0.05) -> bool:
    """Return whether two heads label the same texts rightly with significantly unequal
    frequency, by McNemar's exact test.

    Args:
        one, other: (n,) bool, the texts that each head labels rightly.
        level: maximum share of tests that find a difference where there is none.
    """
    return mcnemar(one, other) < level


def mcnemar(one: np.ndarray, other: np.ndarray) -> float:
    """Return the p-value of McNemar's exact test: two heads are equally often right.

    A text that only one head gets right is equally likely to be that of either head by chance
    (McNemar, Psychometrika, 1947). It is 1 if there is no such text.

    Args:
        one, other: (n,) bool, the texts that each head labels rightly.
    """
    wins, losses = int(np.sum(one & ~other)), int(np.sum(other & ~one))
    fewer, both = min(wins, losses), wins + losses
    logs = _log_choices(both, np.arange(fewer + 1)) - both * math.log(2)
    return min(1.0, 2 * float(np.exp(logs).sum()))
