"""Batch normalisation that padding cannot touch."""

from __future__ import annotations

import torch

# Those of torch.nn.BatchNorm1d.
MOMENTUM, EPSILON = 0.1, 1e-5


class BatchNorm(torch.nn.Module):
    """Batch normalisation over the last axis (Ioffe and Szegedy, 2015, arXiv:1502.03167).

    As ``torch.nn.BatchNorm1d`` over the real positions alone. One that stands alone in a batch
    becomes the bias instead of an error and moves no running statistics, so the last batch of
    an epoch may have any size.

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
        """(..., F) and bool (..., 1) or (..., F), None: all real -> (..., F) float32.

        What ``x`` holds where it is not real must be finite.
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
        """Return mean and variance, (F,) each, over the real positions; the running ones
        move."""
        share = torch.ones_like(x[..., :1]) if real is None else real.to(x.dtype)
        flat, share = x.flatten(0, -2), share.flatten(0, -2)
        count = share.sum(0).clamp_min(1.0)
        mean = (flat * share).sum(0) / count
        variance = ((flat - mean).square() * share).sum(0) / count
        with torch.no_grad():
            unbiased = variance * (count / (count - 1.0).clamp_min(1.0))
            # A lone position tells nothing of the spread: torch refuses it, here it counts not.
            rate = MOMENTUM * (count > 1.0).to(mean.dtype).expand_as(mean)
            self.mean.lerp_(mean, rate)
            self.variance.lerp_(unbiased, rate)
        return mean, variance
