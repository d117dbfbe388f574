"""Losses over logits; none of them takes probabilities."""

from __future__ import annotations

import numpy as np
import torch


def cross_entropy(
    logits: torch.Tensor,
    labels: torch.Tensor,
    label_smoothing: float = 0.0,
    class_weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """Mean cross-entropy of a batch, in nats.

    Args:
        logits: (B, C), any float dtype; computed in float32.
        labels: (B,) int64 in 0..C-1.
        label_smoothing: share of each target spread evenly over all classes (Szegedy et al.,
            Rethinking the Inception architecture, 2016).
        class_weights: (C,) float32; the mean is weighted by that of each label.

    Returns:
        Scalar float32.
    """
    return torch.nn.functional.cross_entropy(
        logits.float(), labels, weight=class_weights, label_smoothing=label_smoothing
    )


def balanced_weights(labels: np.ndarray, classes: int) -> np.ndarray:
    """Weights inverse to the frequency of each class, of mean 1 over the labels.

    Args:
        labels: (n,) int64 in 0..classes-1.

    Returns:
        (C,) float32, n / (classes present x count); 0 for a class without labels.
    """
    counts = np.bincount(labels, minlength=classes)
    present = counts > 0
    weights = np.zeros(classes, dtype=np.float32)
    weights[present] = len(labels) / (present.sum() * counts[present])
    return weights
