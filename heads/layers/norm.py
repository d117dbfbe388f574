"""Batch normalisation that ignores padding."""

from __future__ import annotations

import torch

# Those of torch.nn.BatchNorm1d.
MOMENTUM, EPSILON = 0.1, 1e-5


class BatchNorm(torch.nn.Module):
    """Batch normalisation over the last axis (Ioffe and Szegedy, 2015, arXiv:1502.03167).

    It works like ``torch.nn.BatchNorm1d`` over the real positions only. A single real position
    in a batch gives the bias instead of an error and does not change the running statistics, so
    the last batch of an epoch may have any size.

    Args:
        width: F.
    """

    mean: torch.Tensor
    variance: torch.Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("variance", torch.ones(width))

    def forward(self, x: torch.Tensor, real: torch.Tensor | None = None) -> torch.Tensor:
        """Return (..., F) float32 for x (..., F).

        Args:
            x: finite at all positions.
            real: bool (..., 1) or (..., F), True at real positions; None: all are real.
        """
        x = x.float()
        if self.training:
            mean, variance = self._measure(x, real)
        else:
            mean, variance = self.mean, self.variance
        scale = self.weight * torch.rsqrt(variance + EPSILON)
        return torch.addcmul(self.bias - mean * scale, x, scale)

    def _measure(
        self, x: torch.Tensor, real: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and variance (F,) over real positions, and update the running ones."""
        share = torch.ones_like(x[..., :1]) if real is None else real.to(x.dtype)
        flat, share = x.flatten(0, -2), share.flatten(0, -2)
        count = share.sum(0).clamp_min(1.0)
        mean = (flat * share).sum(0) / count
        variance = ((flat - mean).square() * share).sum(0) / count
        with torch.no_grad():
            unbiased = variance * (count / (count - 1.0).clamp_min(1.0))
            # A single position has no variance: torch raises an error, here it is ignored.
            rate = MOMENTUM * (count > 1.0).to(mean.dtype).expand_as(mean)
            self.mean.lerp_(mean, rate)
            self.variance.lerp_(unbiased, rate)
        return mean, variance
