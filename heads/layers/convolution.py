"""Convolutions over the vectors of a text."""

from __future__ import annotations

import math
from typing import Any

import torch

from heads.layers.masking import mask_to_minus_inf


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
        return torch.cat(_sums(self._padded(x), self.weight, self.kernels), dim=2)

    def maxima(self, x: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """Return (B, K F): the maxima of ``forward`` over the positions that are real.

        Args:
            x: as for ``forward``.
            real: (B, T, 1 or K F) bool; at least one per text and filter.
        """
        # Measured on a processor alone; in evaluation, and so on export, it is the plain way.
        if self.training and x.device.type == "cpu" and not x.requires_grad:
            maxima: torch.Tensor = _Maxima.apply(  # type: ignore[no-untyped-call]
                self.weight, self._padded(x), real, self.kernels
            )
            return maxima
        return mask_to_minus_inf(self(x), real).amax(dim=1)

    def _padded(self, x: torch.Tensor) -> torch.Tensor:
        """Return (B, T + widest kernel - 1, D)."""
        widest = max(self.kernels)
        return torch.nn.functional.pad(x, (0, 0, (widest - 1) // 2, widest // 2))


def _sums(
    padded: torch.Tensor, weight: torch.Tensor, kernels: tuple[int, ...]
) -> list[torch.Tensor]:
    """Return (B, T, F) per kernel from (B, T + widest kernel - 1, D)."""
    steps = padded.shape[1] - max(kernels) + 1
    filters = len(weight) // sum(kernels)
    taps = torch.split(torch.nn.functional.linear(padded, weight), filters, dim=2)
    sums = []
    first = 0
    for kernel, start in zip(kernels, _starts(kernels), strict=True):
        total = taps[first][:, start : start + steps]
        for tap in range(1, kernel):
            shifted = taps[first + tap][:, start + tap : start + tap + steps]
            total = total + shifted
        sums.append(total)
        first += kernel
    return sums


def _starts(kernels: tuple[int, ...]) -> list[int]:
    """Return where each kernel starts in the padded vectors for the first position."""
    before = (max(kernels) - 1) // 2
    return [before - (kernel - 1) // 2 for kernel in kernels]


class _Maxima(torch.autograd.Function):
    """Maxima of convolutions over positions, differentiated at the maximum alone.

    The gradient of a filter is a sum of one window per text, weighted by the gradient of its
    maximum. Summing these is T times less work than the product with all positions, of which
    most have a gradient of zero. Of equal maxima the first one gets it all.
    """

    @staticmethod
    def forward(
        ctx: Any,
        weight: torch.Tensor,
        padded: torch.Tensor,
        real: torch.Tensor,
        kernels: tuple[int, ...],
    ) -> torch.Tensor:
        sums = _sums(padded, weight, kernels)
        masks = real.chunk(len(sums), dim=2) if real.shape[2] > 1 else [real] * len(sums)
        found = [_highest(mask_to_minus_inf(*each)) for each in zip(sums, masks, strict=True)]
        ctx.save_for_backward(padded, *(places for _, places in found))
        ctx.kernels = kernels
        return torch.cat([highest for highest, _ in found], dim=1).float()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        padded, *places = ctx.saved_tensors
        texts, steps, width = padded.shape
        # Rows of the padded vectors, flattened, where the window of a maximum begins.
        offsets = steps * torch.arange(texts, dtype=torch.int32)
        gradients = gradient.to(padded.dtype).t().chunk(len(places))
        windows, factors = [], []
        for place, each, kernel, start in zip(
            places, gradients, ctx.kernels, _starts(ctx.kernels), strict=True
        ):
            taps = torch.arange(start, start + kernel, dtype=torch.int32)[:, None, None]
            windows.append((place.t() + offsets + taps).flatten(0, 1))
            factors.append(each.repeat(kernel, 1))
        found = torch.nn.functional.embedding_bag(
            torch.cat(windows),
            padded.reshape(-1, width),
            mode="sum",
            per_sample_weights=torch.cat(factors),
        )
        return found.float(), None, None, None


def _highest(maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the (B, F) maxima of (B, T, F) over the positions, and their places as int32."""
    # Pooling is many times faster than max(dim=1), which gives the places, too.
    highest, places = torch.nn.functional.max_pool1d(
        maps.transpose(1, 2), maps.shape[1], return_indices=True
    )
    return highest[:, :, 0], places[:, :, 0].to(torch.int32)
