"""How good predictions are: accuracy with its interval, macro-F1, confusion, log loss.

Labels and predictions are class ids, both (n,) int64, n at least 1, the truth first. Labels
of classes that training never saw have ids from C up: no logit stands for them, so they
always score as errors.
"""

from __future__ import annotations

import numpy as np

RESAMPLES = 2000


def accuracy(labels: np.ndarray, predicted: np.ndarray) -> float:
    """Share of right predictions, in [0, 1]."""
    return float(np.mean(predicted == labels))


def macro_f1(labels: np.ndarray, predicted: np.ndarray) -> float:
    """Mean over classes of F1 = 2 hits / (occurrences among labels and predictions).

    As in scikit-learn, over the classes that occur among either. One that training never
    saw counts as 0.
    """
    classes = int(max(labels.max(), predicted.max())) + 1
    hits = np.bincount(labels[predicted == labels], minlength=classes)
    truths = np.bincount(labels, minlength=classes)
    answers = np.bincount(predicted, minlength=classes)
    occurring = truths + answers > 0
    return float(np.mean(2.0 * hits[occurring] / (truths + answers)[occurring]))


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
