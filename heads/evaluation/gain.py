"""What a head knows beyond the best constant answer, from its logits."""

from __future__ import annotations

import math

import numpy as np

from heads.evaluation.calibration import softmax
from heads.evaluation.measurements import Gain
from heads.evaluation.metrics import accuracy, class_counts, log_loss
from heads.evaluation.minimum import find_minimum

TEMPERATURES = 1e-3, 1e6
"""Range of the temperature: logits of a head that diverged lie in the thousands."""


def measure_gain(labels: np.ndarray, logits: np.ndarray) -> Gain | None:
    """Measure a head against the best constant answer on the same texts.

    Args:
        labels: (n,) int64 class ids; texts with an id of C or more are left out.
        logits: (n, C) float32.

    Returns:
        The gain; None if no text has a class that training knows, or a logit is not finite.
    """
    known = np.flatnonzero(labels < logits.shape[1])
    if len(known) == 0 or not np.isfinite(logits).all():
        return None
    labels, logits = labels[known], logits[known]
    classes = logits.shape[1]
    predicted = logits.argmax(axis=1)
    counts = class_counts(labels, predicted, classes)
    probabilities = softmax(logits).astype(np.float64)
    per_text = -(probabilities * np.log(np.maximum(probabilities, 1e-30))).sum(axis=1)
    label_entropy = entropy(counts.truths)
    return Gain(
        texts=len(labels),
        accuracy=accuracy(labels, predicted),
        majority=float(counts.truths.max() / len(labels)),
        loss=log_loss(labels, logits),
        calibrated_loss=_calibrated_loss(labels, logits),
        constant_loss=label_entropy,
        effective_classes=math.exp(entropy(counts.answers) - label_entropy),
        logit_spread=float(logits.astype(np.float64).std(axis=0).mean()),
        mean_entropy=float(per_text.mean() / math.log(classes)) if classes > 1 else 0.0,
        label_counts=tuple(counts.truths.tolist()),
        predicted_counts=tuple(counts.answers.tolist()),
        hits=tuple(counts.hits.tolist()),
    )


def _calibrated_loss(labels: np.ndarray, logits: np.ndarray) -> float:
    """Return the lowest mean cross-entropy of (n, C) logits over all temperatures."""
    wide = logits.astype(np.float64)

    def loss(power: float) -> float:
        return log_loss(labels, wide / math.exp(power))

    ends = math.log(TEMPERATURES[0]), math.log(TEMPERATURES[1])
    return min(loss(0.0), loss(find_minimum(loss, *ends, 1e-3)))


def entropy(counts: np.ndarray) -> float:
    """Return the entropy in nats of the shares of some counts, not all of them 0."""
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())
