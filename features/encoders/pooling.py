"""Pooling: one vector per text from its hidden states, by masks.

Positions are never assumed: XLNet pads on the left and has CLS at the end.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def mean(hidden: Tensor, mask: Tensor, cls: Tensor) -> Tensor:
    """Return the mean over the real tokens: (B, T, D), (B, T) bool, (B, T) bool to (B, D)."""
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1)


def largest(hidden: Tensor, mask: Tensor, cls: Tensor) -> Tensor:
    """Return the maximum of each feature over the real tokens: (B, T, D) to (B, D)."""
    return hidden.masked_fill(~mask.unsqueeze(-1), -torch.inf).amax(1)


def cls_token(hidden: Tensor, mask: Tensor, cls: Tensor) -> Tensor:
    """Return the hidden state of the CLS token at any position: (B, T, D) to (B, D)."""
    return _at(hidden, (cls & mask).int().argmax(1))


def last_token(hidden: Tensor, mask: Tensor, cls: Tensor) -> Tensor:
    """Return the hidden state of the last real token, with padding on any side: to (B, D)."""
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
"""Name -> function of hidden (B, T, D), mask (B, T) and CLS positions (B, T), giving (B, D)."""
