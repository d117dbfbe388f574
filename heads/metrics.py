"""How good the logits are: accuracy with its interval, macro-F1, confusion, log loss.

Labels are ids. Those of classes that training never saw are C or larger: no logit stands for
them, so they always score as errors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000


@dataclass(frozen=True)
class Scores:
    """What one set of texts scored.

    Attributes:
        accuracy: share of right answers, in [0, 1].
        macro_f1: see :func:`macro_f1`.
        accuracy_interval: lower and upper end of the 95 % bootstrap interval.
        log_loss: see :func:`log_loss`; None if no label is known in training.
        texts: how many.
    """

    accuracy: float
    macro_f1: float
    accuracy_interval: tuple[float, float]
    log_loss: float | None
    texts: int


def score(logits: np.ndarray, labels: np.ndarray, seed: int = 0) -> Scores:
    """All scores of (n, C) logits against (n,) int labels; n at least 1."""
    predicted = logits.argmax(axis=1)
    known = bool(np.any(labels < logits.shape[1]))
    return Scores(
        accuracy=accuracy(predicted, labels),
        macro_f1=macro_f1(predicted, labels),
        accuracy_interval=accuracy_interval(predicted == labels, seed),
        log_loss=log_loss(logits, labels) if known else None,
        texts=len(labels),
    )


def accuracy(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Share of equal ids, both (n,) int; n at least 1."""
    return float(np.mean(predicted == labels))


def macro_f1(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Mean F1 over the classes that occur among ``labels`` or ``predicted``, both (n,) int.

    This is scikit-learn's default: F1 = 2 hits / (occurrences among both). A class that
    training never saw counts as 0.
    """
    classes = int(max(predicted.max(), labels.max())) + 1
    hits = np.bincount(labels[predicted == labels], minlength=classes)
    occurrences = np.bincount(labels, minlength=classes) + np.bincount(
        predicted, minlength=classes
    )
    occurring = occurrences > 0
    return float(np.mean(2.0 * hits[occurring] / occurrences[occurring]))


def confusion(predicted: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Counts of (true, predicted) pairs.

    Returns:
        (R, C) int64, R = C or, if labels unknown in training occur, the largest id + 1.
    """
    rows = max(classes, int(labels.max(initial=0)) + 1)
    pairs = np.bincount(labels * classes + predicted, minlength=rows * classes)
    return pairs.reshape(rows, classes)


def log_loss(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean cross-entropy in nats over the labels below C; NaN if there is none.

    Args:
        logits: (n, C) float.
        labels: (n,) int.
    """
    known = np.flatnonzero(labels < logits.shape[1])
    if len(known) == 0:
        return float("nan")
    chosen = logits[known].astype(np.float64)
    right = chosen[np.arange(len(known)), labels[known]]
    return float(np.mean(np.logaddexp.reduce(chosen, axis=1) - right))


def accuracy_interval(
    correct: np.ndarray, seed: int, resamples: int = RESAMPLES, confidence: float = 0.95
) -> tuple[float, float]:
    """Percentile bootstrap interval of the accuracy (Efron, 1979).

    n draws with replacement from n answers of which k are right hold Binomial(n, k / n) right
    ones, so each resample is one draw of that, exactly.

    Args:
        correct: (n,) bool, n at least 1.
        seed: same seed, same interval.
        resamples: how many.
        confidence: share of the resamples inside the interval.
    """
    count = len(correct)
    random = np.random.default_rng(seed)
    means = random.binomial(count, float(np.mean(correct)), size=resamples) / count
    tail = (1.0 - confidence) / 2
    lower, upper = np.quantile(means, [tail, 1.0 - tail])
    return float(lower), float(upper)
