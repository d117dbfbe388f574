"""Convolutions over the vectors of a text."""

from __future__ import annotations

import math

import torch


class Convolutions(torch.nn.Module):
    """Parallel convolutions, padded like ``torch.nn.Conv1d`` with "same".

    Args:
        width: D.
        filters: F, filters per kernel.
        kernels: widths of the K kernels.
    """

    def __init__(self, width: int, filters: int, kernels: tuple[int, ...]) -> None:
        super().__init__()
        self.filters = filters
        self.kernels = kernels
        # Row order: kernel, tap, filter. The bounds are those of torch.nn.Conv1d.
        bounds = [1 / math.sqrt(width * kernel) for kernel in kernels]
        self.weight = torch.nn.Parameter(
            torch.cat(
                [
                    torch.empty(filters * kernel, width).uniform_(-bound, bound)
                    for kernel, bound in zip(kernels, bounds, strict=True)
                ]
            )
        )
        self.bias = torch.nn.Parameter(
            torch.cat([torch.empty(filters).uniform_(-bound, bound) for bound in bounds])
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (B, T, K F) for (B, T, D) that is zero at padding; kernel by kernel, without
        bias.
        """
        steps = x.shape[1]
        widest = max(self.kernels)
        before = (widest - 1) // 2
        x = torch.nn.functional.pad(x, (0, 0, before, widest // 2))
        taps = torch.split(torch.nn.functional.linear(x, self.weight), self.filters, dim=2)
        sums = []
        first = 0
        for kernel in self.kernels:
            start = before - (kernel - 1) // 2
            total = taps[first][:, start : start + steps]
            for tap in range(1, kernel):
                shifted = taps[first + tap][:, start + tap : start + tap + steps]
                total = total + shifted
            sums.append(total)
            first += kernel
        return torch.cat(sums, dim=2)
