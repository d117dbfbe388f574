"""How good predictions are: accuracy with its interval, F1 by class, confusion, log loss.

Labels and predictions are class ids, both (n,) int64, n at least 1, the truth first. Labels
of classes that training never saw have ids from C up: no logit stands for them, so they
always score as errors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri

RESAMPLES = 2000


def accuracy(labels: np.ndarray, predicted: np.ndarray) -> float:
    """Share of right predictions, in [0, 1]."""
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
    """Mean over classes of F1 = 2 hits / (occurrences among labels and predictions).

    As in scikit-learn, over the classes that occur among either. One that training never
    saw counts as 0.
    """
    classes = int(max(labels.max(), predicted.max())) + 1
    return float(np.nanmean(class_counts(labels, predicted, classes).f1))


def confusion(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts of pairs: (classes, classes) int64, rows the truth, columns the predictions.

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
    """Mean cross-entropy in nats of (n, C) logits, over the labels below C; NaN if none is."""
    known = np.flatnonzero(labels < logits.shape[1])
    if len(known) == 0:
        return float("nan")
    chosen = logits[known].astype(np.float64)
    right = chosen[np.arange(len(known)), labels[known]]
    return float(np.mean(np.logaddexp.reduce(chosen, axis=1) - right))


def accuracy_interval(
    labels: np.ndarray,
    predicted: np.ndarray,
    seed: int = 0,
    resamples: int = RESAMPLES,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Percentile bootstrap interval of the accuracy (Efron, Annals of Statistics, 1979).

    n draws with replacement from n answers of which k are right hold Binomial(n, k / n) right
    ones, so each resample is one draw of that, exactly.

    Args:
        seed: same seed, same interval.
        resamples: how many.
        confidence: share of the resamples inside the interval.
    """
    random = np.random.default_rng(seed)
    count = len(labels)
    rights = random.binomial(count, accuracy(labels, predicted), size=resamples)
    tail = (1.0 - confidence) / 2
    lower, upper = np.quantile(rights / count, [tail, 1.0 - tail])
    return float(lower), float(upper)


def mean_interval(
    values: np.ndarray, seed: int = 0, resamples: int = RESAMPLES, confidence: float = 0.95
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of (n,) values, one a text.

    For what is not plainly right or wrong, such as the share of five heads that label a text
    rightly. A resample is one multinomial draw of how often each distinct value occurs.

    Args:
        seed, resamples, confidence: as for ``accuracy_interval``.
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
    """Whether the accuracies of several groups of texts differ beyond noise.

    Pearson's chi-squared test of homogeneity; of two groups it is the z test of two
    proportions.

    Args:
        right: (G,) texts labelled rightly in each group.
        texts: (G,) texts in each group, none of them 0.
        level: share of tests that find a difference where there is none.
    """
    expected = right.sum() / texts.sum()
    variance = texts * expected * (1.0 - expected)
    if len(texts) < 2 or not np.all(variance > 0):
        return False
    statistic = np.sum((right - texts * expected) ** 2 / variance)
    return bool(statistic > chdtri(len(texts) - 1, level))
