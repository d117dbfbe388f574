"""Calibration: do probabilities agree with accuracies, and a temperature that makes them.

Texts are put into bins of equal width by their confidence, the probability of the predicted
class. Bin b of B holds the n_b texts with a confidence in ((b - 1) / B, b / B], and

    expected calibration error = sum over b of  n_b / n * |accuracy_b - confidence_b|

Temperature scaling divides all logits by the T that minimises the log loss of held-out texts.
Both after Guo et al., On calibration of modern neural networks, ICML 2017.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from heads.evaluation.metrics import accuracy, log_loss
from heads.evaluation.minimum import find_minimum

BINS = 15
DRAWS = 200
MIN_TEMPERATURE = 0.1
"""Minimum temperature; some hundred texts cannot determine a lower one."""

MAX_TEMPERATURE = 10.0
"""Maximum temperature."""

TOLERANCE = 1e-4
"""Of the logarithm of the temperature."""


@dataclass(frozen=True, eq=False)
class Reliability:
    """The texts by confidence, in B bins of equal width from 0 to 1.

    Attributes:
        texts: (B,) int64 counts.
        confidence: (B,) float64, mean confidence per bin; NaN if it is empty.
        accuracy: (B,) float64, share of right predictions per bin; NaN if it is empty.
    """

    texts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error, in [0, 1]."""
        held = self.texts > 0
        gaps = np.abs(self.accuracy[held] - self.confidence[held])
        return float(np.sum(self.texts[held] * gaps) / self.texts.sum())


def reliability(labels: np.ndarray, probabilities: np.ndarray, bins: int = BINS) -> Reliability:
    """Put texts into bins by their confidence.

    Args:
        labels: (n,) int64 class ids, n at least 1; those from C up count as errors.
        probabilities: (n, C), each row summing to 1.
        bins: B, 1 or more.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    return _binned(confidence, probabilities.argmax(axis=1) == labels, bins)


def error_by_chance(probabilities: np.ndarray, bins: int = BINS, seed: int = 0) -> float:
    """Return the mean calibration error of samples for which the confidences are exactly true.

    In a sample, the accuracy of a bin differs from its confidence by chance, so the error is
    above 0 even then (Bröcker and Smith, Increasing the reliability of reliability diagrams,
    Weather and Forecasting, 2007). The mean is over ``DRAWS`` draws.

    Args:
        probabilities: (n, C), each row summing to 1.
        bins: B, 1 or more.
        seed: seed of the draws.
    """
    random = np.random.default_rng(seed)
    confidence = probabilities.max(axis=1).astype(np.float64)
    # A draw at a time: all of them together take 1.6 kB a text.
    draws = (random.random(len(confidence)) < confidence for _ in range(DRAWS))
    return float(np.mean([_binned(confidence, right, bins).error for right in draws]))


def fit_temperature(labels: np.ndarray, logits: np.ndarray) -> float:
    """Return the temperature that minimises the log loss of held-out texts.

    The loss is convex in 1 / T, so it has one minimum in log T, which Brent's bounded search
    finds. If all texts are predicted rightly, the loss decreases with T without end, and T is
    1; so it is if no label is known.

    Args:
        labels: (n,) int64 class ids; those from C up are left out.
        logits: (n, C) float32 of texts that were not trained on.

    Returns:
        T between ``MIN_TEMPERATURE`` and ``MAX_TEMPERATURE``; above 1 it lowers confidences.
    """
    known = np.flatnonzero(labels < logits.shape[1])
    labels, logits = labels[known], logits[known].astype(np.float64)
    if len(known) == 0 or accuracy(labels, logits.argmax(axis=1)) == 1.0:
        return 1.0
    power = find_minimum(
        lambda power: log_loss(labels, logits / math.exp(power)),
        math.log(MIN_TEMPERATURE),
        math.log(MAX_TEMPERATURE),
        TOLERANCE,
    )
    return math.exp(power)


def _binned(confidence: np.ndarray, right: np.ndarray, bins: int) -> Reliability:
    places = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    texts = np.bincount(places, minlength=bins)
    with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN of an empty bin
        return Reliability(
            texts,
            np.bincount(places, weights=confidence, minlength=bins) / texts,
            np.bincount(places, weights=right, minlength=bins) / texts,
        )


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Return (n, C) float32 probabilities of (n, C) float32 logits divided by a temperature."""
    scaled = (logits - logits.max(axis=1, keepdims=True)) / np.float32(temperature)
    powers = np.exp(scaled)
    probabilities: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def mean_of(
    probabilities: Sequence[np.ndarray], weights: Sequence[float] | None = None
) -> np.ndarray:
    """Return the (n, C) float32 mean of several (n, C) probabilities.

    Args:
        weights: one for each, summing to 1; None weighs all alike.
    """
    mean = np.average(np.asarray(probabilities, np.float64), axis=0, weights=weights)
    return np.asarray(mean, dtype=np.float32)


def tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return (n, C) float32 probabilities with lower confidences at a temperature above 1.

    A probability of 0 stays 0.
    """
    with np.errstate(divide="ignore"):
        return softmax(np.log(probabilities), temperature)
