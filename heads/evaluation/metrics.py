"""How good predictions are: accuracy with its interval, F1 by class, confusion, log loss.

Labels and predictions are class ids, both (n,) int64, n at least 1, the truth first. Labels
of classes that training never saw have ids from C up: no logit stands for them, so they
always score as errors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr, chdtri, gammaln, ndtri

RESAMPLES = 2000

LEAST_EXPECTED = 5
"""Texts that a chi-squared test must expect in each cell (Cochran, Biometrics, 1954)."""


def accuracy(labels: np.ndarray, predicted: np.ndarray) -> float:
    """Return share of right predictions, in [0, 1]."""
    return float(np.mean(predicted == labels))


@dataclass(frozen=True, eq=False)
class ClassCounts:
    """What the measures of each class are made of, all (C,) int64.

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
    """Count class by class; ``classes`` is how many ids there are."""
    return ClassCounts(
        hits=np.bincount(labels[predicted == labels], minlength=classes),
        truths=np.bincount(labels, minlength=classes),
        answers=np.bincount(predicted, minlength=classes),
    )


def macro_f1(labels: np.ndarray, predicted: np.ndarray) -> float:
    """Return mean over classes of F1 = 2 hits / (occurrences among labels and predictions).

    As in scikit-learn, over the classes that occur among either. One that training never
    saw counts as 0.
    """
    classes = int(max(labels.max(), predicted.max())) + 1
    return float(np.nanmean(class_counts(labels, predicted, classes).f1))


def confusion(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Return counts of pairs: (classes, classes) int64, rows the truth, columns the
    predictions.

    Args:
        classes: how many ids there are, those unknown in training included.

    Raises:
        ValueError: an id is not below ``classes``.
    """
    highest = int(max(labels.max(), predicted.max()))
    if highest >= classes:
        raise ValueError(f"ids must be below classes = {classes}, but {highest} occurs")
    pairs = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return pairs.reshape(classes, classes)


def log_loss(labels: np.ndarray, logits: np.ndarray) -> float:
    """Return mean cross-entropy in nats of (n, C) logits, over the labels below C; NaN if none
    is."""
    known = np.flatnonzero(labels < logits.shape[1])
    if len(known) == 0:
        return float("nan")
    chosen = logits[known].astype(np.float64)
    right = chosen[np.arange(len(known)), labels[known]]
    return float(np.mean(np.logaddexp.reduce(chosen, axis=1) - right))


def accuracy_interval(
    labels: np.ndarray, predicted: np.ndarray, confidence: float = 0.95
) -> tuple[float, float]:
    """Return Wilson's interval of the accuracy (Probable inference, JASA, 1927).

    It keeps its promise for few texts and near 100 %, where a bootstrap of answers that are
    all right knows of no other.

    Args:
        confidence: share of such intervals that hold the true accuracy.
    """
    return _wilson(int(np.sum(predicted == labels)), len(labels), confidence)


def share_interval(
    shares: np.ndarray, seed: int = 0, resamples: int = RESAMPLES, confidence: float = 0.95
) -> tuple[float, float]:
    """Return interval of the mean of (n,) shares, one per text, such as of the heads that are
    right.

    Wilson's where every share is 0 or 1, as of one head; else the bootstrap.

    Args:
        seed, resamples, confidence: as for ``mean_interval``.
    """
    if np.all((shares == 0) | (shares == 1)):
        return _wilson(int(shares.sum()), len(shares), confidence)
    return mean_interval(shares, seed, resamples, confidence)


def _wilson(right: int, texts: int, confidence: float) -> tuple[float, float]:
    z = float(ndtri(0.5 + confidence / 2))
    centre = (right + z**2 / 2) / (texts + z**2)
    half = z / (texts + z**2) * math.sqrt(right * (texts - right) / texts + z**2 / 4)
    share = right / texts  # the ends are exact but for rounding
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def mean_interval(
    values: np.ndarray, seed: int = 0, resamples: int = RESAMPLES, confidence: float = 0.95
) -> tuple[float, float]:
    """Return percentile bootstrap interval of the mean of (n,) values, one per text.

    For what is not plainly right or wrong, such as the difference of two heads (Efron, Annals
    of Statistics, 1979). A resample is one multinomial draw of how often each distinct value
    occurs. Few texts of which few have another value give too narrow an interval.

    Args:
        seed: same seed, same interval.
        resamples: how many.
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
    """Return whether the accuracies of several groups of texts differ beyond noise.

    Pearson's chi-squared test of homogeneity; of two groups it is the z test of two
    proportions, and Fisher's exact test where a count that it expects is below 5.

    Args:
        right: (G,) texts labelled rightly in each group.
        texts: (G,) texts in each group, none of them 0.
        level: share of tests that find a difference where there is none, at the most.
    """
    expected = right.sum() / texts.sum()
    variance = texts * expected * (1.0 - expected)
    if len(texts) < 2 or not np.all(variance > 0):
        return False
    if len(texts) == 2 and texts.min() * min(expected, 1.0 - expected) < LEAST_EXPECTED:
        return _fisher(np.rint(right), texts) < level
    statistic = np.sum((right - texts * expected) ** 2 / variance)
    return bool(statistic > chdtri(len(texts) - 1, level))


def _fisher(right: np.ndarray, texts: np.ndarray) -> float:
    """Return probability of a division of the right answers as rare as this one, or rarer."""
    total, one, all_right = int(texts.sum()), int(texts[0]), int(right.sum())
    first = np.arange(max(0, all_right - int(texts[1])), min(one, all_right) + 1)
    logs = _log_choices(one, first) + _log_choices(total - one, all_right - first)
    chances = np.exp(logs - _log_choices(total, np.array(all_right)))
    seen = chances[int(right[0]) - first[0]]
    return float(chances[chances <= seen * (1 + 1e-7)].sum())


def _log_choices(texts: int, chosen: np.ndarray) -> np.ndarray:
    """Return logarithm of the number of ways to choose so many of the texts."""
    logs: np.ndarray = gammaln(texts + 1) - gammaln(chosen + 1) - gammaln(texts - chosen + 1)
    return logs


def answers_differ(one: np.ndarray, other: np.ndarray, level: float = 0.05) -> bool:
    """Return whether two heads, asked the same texts, are right unequally often beyond noise.

    McNemar's test in its exact form: of the texts that one of them alone gets right, each has
    by chance an even share.

    Args:
        one, other: (n,) bool, the texts that each labels rightly.
        level: share of tests that find a difference where there is none, at the most.
    """
    wins, losses = int(np.sum(one & ~other)), int(np.sum(other & ~one))
    return bool(2 * bdtr(min(wins, losses), wins + losses, 0.5) < level)
