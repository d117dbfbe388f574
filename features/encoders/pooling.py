"""Pooling: one vector a text from its hidden states.

Never by position, always by mask: XLNet pads on the left and puts CLS last.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def mean(hidden: Tensor, mask: Tensor, cls: Tensor) -> Tensor:
    """Average of the real tokens. (B, T, D), (B, T) bool, (B, T) bool -> (B, D)."""
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1)


def largest(hidden: Tensor, mask: Tensor, cls: Tensor) -> Tensor:
    """Largest value of each feature over the real tokens. (B, T, D) -> (B, D)."""
    return hidden.masked_fill(~mask.unsqueeze(-1), -torch.inf).amax(1)


def cls_token(hidden: Tensor, mask: Tensor, cls: Tensor) -> Tensor:
    """The hidden state of the CLS token, wherever it stands. (B, T, D) -> (B, D)."""
    return _at(hidden, (cls & mask).int().argmax(1))


def last_token(hidden: Tensor, mask: Tensor, cls: Tensor) -> Tensor:
    """The hidden state of the last real token, whatever side is padded. (B, T, D) -> (B, D)."""
    positions = torch.arange(mask.shape[1], device=mask.device)
    return _at(hidden, (positions * mask).argmax(1))


def _at(hidden: Tensor, positions: Tensor) -> Tensor:
    return hidden[torch.arange(len(hidden), device=hidden.device), positions]


POOLINGS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "mean": mean,
    "cls": cls_token,
    "max": largest,
    "last": last_token,
}
"""(hidden (B, T, D), mask (B, T), where CLS stands (B, T)) -> (B, D), by name."""
