"""Weights of the runs in a blend, found on validation.

    p = sum of w_r p_r,  w_r >= 0,  sum of w_r = 1

Learned weights maximise the likelihood of the validation labels. The log loss of a mixture is
convex in its weights, and the EM algorithm goes to its minimum: w_r becomes the mean over texts
of run r's share of p(label). Selected ones count how often a greedy search took a run (Caruana
et al., Ensemble selection from libraries of models, ICML 2004).

Both look at validation alone, whose log loss they then flatter. So a gain counts only beyond
noise: of learned weights on texts that they were not learned on, with a temperature of its own
for either way; of the greedy search at a level divided by the number of runs that it tries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from heads.evaluation.calibration import fit_temperature
from heads.evaluation.metrics import mean_interval
from pipeline.evaluation.evaluation import Evaluation

MIN_PROBABILITY = 1e-12
"""Smallest probability in the log loss; float32 may hold it as 0."""

TEXTS_PER_WEIGHT = 20
"""Minimum number of validation texts per learned weight."""

PARTS, SEED = 5, 0
"""Learned weights are judged on one of so many parts of the texts, drawn with this seed."""

STEPS, TOLERANCE = 1000, 1e-9
"""Maximum number of EM steps, and the gain of the mean log likelihood at which they end."""

MAX_SELECTED = 50
"""Maximum number of times that the greedy search takes a run."""

LEVEL = 0.05


@dataclass(frozen=True)
class LossGain:
    """By how many nats the log loss of a text is lower in the mean, and its 95 % interval."""

    mean: float
    interval: tuple[float, float]

    @property
    def beyond_noise(self) -> bool:
        """Whether the loss is lower beyond noise."""
        return self.interval[0] > 0


def equal_weights(runs: int) -> np.ndarray:
    """Return (R,) float64: the same weight for each run."""
    return np.full(runs, 1 / runs)


def learn_weights(parts: Sequence[Evaluation]) -> np.ndarray:
    """Return (R,) float64 weights with the lowest log loss on validation texts.

    Args:
        parts: what R runs predict for the same texts in the same order.
    """
    return _em(_of_labels(parts))


def learned_gain(folds: Sequence[Sequence[Evaluation]]) -> LossGain:
    """Return what learned weights gain over equal ones on validation texts that they were not
    learned on.

    The texts are divided into ``PARTS``. Weights and temperature are learned on all but one
    part and judged on that one; so is the temperature of equal weights.

    Args:
        folds: of each fold what R runs predict for its validation texts; without folds one.
    """
    rows = [fold[0].rows for fold in folds]
    gaps = np.concatenate([_crossed_gaps(fold) for fold in folds])
    _, index, counts = np.unique(np.concatenate(rows), return_inverse=True, return_counts=True)
    texts = np.bincount(index, weights=gaps) / counts  # several folds may predict a text
    return LossGain(float(texts.mean()), mean_interval(texts))


def _crossed_gaps(parts: Sequence[Evaluation]) -> np.ndarray:
    """Return (n,): the loss of each text by equal weights minus that by learned ones."""
    known = _known(parts)
    labels, gaps = parts[0].labels[known], np.zeros(len(known))
    probabilities = np.stack([part.probabilities[known] for part in parts])
    of_labels = _of_labels(parts)[:, known]
    part_of = np.random.default_rng(SEED).permutation(len(labels)) % PARTS
    equal = equal_weights(len(parts))
    for part in range(min(PARTS, len(labels)) if len(labels) > 1 else 0):
        own = part_of == part
        losses = [
            _tempered_losses(np.tensordot(weights, probabilities, 1), labels, own)
            for weights in (equal, _em(of_labels[:, ~own]))
        ]
        gaps[np.flatnonzero(known)[own]] = losses[0] - losses[1]
    return gaps


def _tempered_losses(mixed: np.ndarray, labels: np.ndarray, judged: np.ndarray) -> np.ndarray:
    """Return the losses of the judged texts at the temperature of the others."""
    logits = np.log(np.maximum(mixed, MIN_PROBABILITY))
    scaled = logits[judged] / fit_temperature(labels[~judged], logits[~judged])
    right = scaled[np.arange(len(scaled)), labels[judged]]
    losses: np.ndarray = np.logaddexp.reduce(scaled, axis=1) - right
    return losses


def select(parts: Sequence[Evaluation], first: int) -> np.ndarray:
    """Return (R,) int64: how often a greedy search takes each run.

    It begins with one run. Each step adds the run, taken before or not, with which the mean has
    the lowest log loss, if that is lower than before beyond noise.

    Args:
        parts: what R runs predict for the same validation texts in the same order.
        first: index of the run that is best on validation.
    """
    shares = _of_labels(parts)
    counts = np.zeros(len(parts), np.int64)
    counts[first] = 1
    while counts.sum() < MAX_SELECTED:
        total = counts @ shares
        before = -np.log(total / counts.sum())
        after = -np.log((total + shares) / (counts.sum() + 1))
        best = int(after.mean(axis=1).argmin())
        # The best of R runs is often better by chance: each is tested at a level of 5 % / R.
        interval = mean_interval(before - after[best], confidence=1 - LEVEL / len(parts))
        if interval[0] <= 0:
            break
        counts[best] += 1
    return counts


def _known(parts: Sequence[Evaluation]) -> np.ndarray:
    """Return (n,) bool: whether some run knows the label of a text."""
    labels, classes = parts[0].labels, parts[0].probabilities.shape[1]
    columns = np.any([part.probabilities.any(axis=0) for part in parts], axis=0)
    found: np.ndarray = (labels < classes) & columns[np.minimum(labels, classes - 1)]
    return found


def _of_labels(parts: Sequence[Evaluation]) -> np.ndarray:
    """Return (R, n) float64: the probability of the right label, from ``MIN_PROBABILITY`` up.

    It is 1 for a label that no run knows, so that the text tells no weights apart.
    """
    known = np.flatnonzero(_known(parts))
    labels = parts[0].labels[known]
    shares = np.ones((len(parts), len(parts[0].labels)))
    for own, part in zip(shares, parts, strict=True):
        own[known] = part.probabilities[known, labels]
    return np.maximum(shares, MIN_PROBABILITY)


def _em(shares: np.ndarray) -> np.ndarray:
    """Return (R,) mixture weights of (R, n) probabilities of the right label."""
    weights = equal_weights(len(shares))
    likelihood = -np.inf
    for _ in range(STEPS):
        mixed = weights @ shares
        reached = float(np.log(mixed).mean())
        if reached - likelihood < TOLERANCE:
            break
        likelihood = reached
        weights = weights * (shares / mixed).mean(axis=1)
    found: np.ndarray = weights / weights.sum()
    return found
