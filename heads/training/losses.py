"""Losses over logits, not probabilities."""

from __future__ import annotations

from collections.abc import Callable

import torch

from heads.settings import TrainingSettings

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(B, C) logits and (B,) int64 labels -> scalar float32."""


def cross_entropy(
    logits: torch.Tensor,
    labels: torch.Tensor,
    label_smoothing: float = 0.0,
    class_weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the mean cross-entropy of a batch, in nats.

    Args:
        logits: (B, C), any float dtype; computed in float32.
        labels: (B,) int64 in 0..C-1.
        label_smoothing: share of each target spread evenly over all classes (Szegedy et al.,
            Rethinking the Inception architecture, 2016).
        class_weights: (C,) float32 weights of the labels in the mean; None: all 1.

    Returns:
        Scalar float32.
    """
    return torch.nn.functional.cross_entropy(
        logits.float(), labels, weight=class_weights, label_smoothing=label_smoothing
    )


def focal(
    logits: torch.Tensor,
    labels: torch.Tensor,
    gamma: float,
    label_smoothing: float = 0.0,
    class_weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the mean of cross-entropies times (1 - p)^gamma, p being the label's probability.

    Lin et al., Focal loss for dense object detection, 2017, arXiv:1708.02002. With gamma 0 it
    is :func:`cross_entropy`, whose arguments it takes.
    """
    each = _each(logits, labels, label_smoothing, class_weights)
    right = torch.log_softmax(logits.float(), dim=1).gather(1, labels[:, None])[:, 0]
    # 1 - p by expm1, and never quite 0: the slope of a root is infinite there.
    missing = (-torch.expm1(right)).clamp_min(1e-8)
    total = len(labels) if class_weights is None else class_weights[labels].sum()
    return (missing**gamma * each).sum() / total


def hardest(
    logits: torch.Tensor,
    labels: torch.Tensor,
    count: int,
    label_smoothing: float = 0.0,
    class_weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the mean of the ``count`` largest cross-entropies of a batch, or of all if fewer.

    Online hard example mining (Shrivastava et al., 2016, arXiv:1604.03540). Class weights
    multiply each text's cross-entropy before the largest are chosen; the mean is not divided by
    them.
    """
    each = _each(logits, labels, label_smoothing, class_weights)
    return each.topk(min(count, len(labels))).values.mean()


def make_loss(settings: TrainingSettings, class_weights: torch.Tensor | None) -> Loss:
    """Return the loss that the settings name.

    Args:
        settings: name of the loss and its parameters.
        class_weights: (C,) float32, see :func:`heads.class_weights.class_weights`; None: all 1.
    """
    smoothing = settings.label_smoothing

    def loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        if settings.loss == "focal":
            return focal(logits, labels, settings.focal_gamma, smoothing, class_weights)
        if settings.loss == "hardest":
            return hardest(logits, labels, settings.hardest, smoothing, class_weights)
        return cross_entropy(logits, labels, smoothing, class_weights)

    return loss


def _each(
    logits: torch.Tensor,
    labels: torch.Tensor,
    label_smoothing: float,
    class_weights: torch.Tensor | None,
) -> torch.Tensor:
    """Return (B,) float32 cross-entropies with smoothed targets.

    In a target, each class is multiplied by its weight; without smoothing that is the weight of
    the label.
    """
    return torch.nn.functional.cross_entropy(
        logits.float(),
        labels,
        weight=class_weights,
        label_smoothing=label_smoothing,
        reduction="none",
    )
