"""The share of one part of a head in the sum of two parts' logits, chosen on validation."""

from __future__ import annotations

import numpy as np

from heads.evaluation.calibration import fit_temperature

SHARES = tuple(step / 10 for step in range(11))
"""Shares to choose from, 0 and 1 included."""


def choose_share(labels: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """Return the share of the second part in the sum of logits that validates best.

    That is the lowest cross-entropy, each sum with a temperature of its own. One part alone
    is taken where the sum gains less than two standard errors over it, and where it labels
    every text rightly.

    Args:
        labels: (m,) int64 class ids of validation texts.
        first, second: (m, C) float32 logits of both parts.
    """
    known = labels < first.shape[1]
    labels, first, second = labels[known], first[known], second[known]
    if len(labels) == 0:
        return 0.0
    losses = [_losses(labels, mix_logits(first, second, share)) for share in SHARES]
    means = [float(each.mean()) for each in losses]
    best = int(np.argmin(means))
    alone = 0 if means[0] <= means[-1] else len(SHARES) - 1
    gain = losses[alone] - losses[best]
    part = second if alone else first
    sure = gain.mean() > 2 * gain.std() / np.sqrt(len(gain))
    if not sure or (part.argmax(axis=1) == labels).all():
        best = alone
    return SHARES[best]


def mix_logits(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """Return (n, C) float32, the sum of both parts' logits, of the second with its share."""
    mixed: np.ndarray = np.float32(1 - share) * first + np.float32(share) * second
    return mixed


def _losses(labels: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Return (m,) cross-entropies at the temperature that fits best."""
    scaled = logits.astype(np.float64) / fit_temperature(labels, logits)
    scaled -= scaled.max(axis=1, keepdims=True)
    own = scaled[np.arange(len(labels)), labels]
    losses: np.ndarray = np.log(np.exp(scaled).sum(axis=1)) - own
    return losses
