"""Parallel-kernel convolution over the vectors of a text (Kim, 2014, arXiv:1408.5882).

A convolution is a sum of shifted matrix products, one for each tap. Over a frozen input all
taps of all kernels are ONE product, D -> sum of filters x kernel, followed by shifted adds.
"""

from __future__ import annotations

import math
from typing import Annotated

import torch
from pydantic import Field

from heads.base import SequenceSettings
from heads.inputs import SequenceHead


class CnnSettings(SequenceSettings):
    """Settings of ``cnn``."""

    kernels: tuple[Annotated[int, Field(ge=1, le=64)], ...] = Field(
        (1, 2, 3), min_length=1, description="widths of the parallel convolutions, in vectors"
    )
    filters: int = Field(128, ge=1, le=8192, description="filters of each convolution")
    dropout: float = Field(
        0.3, ge=0, lt=1, description="share of pooled features dropped in training"
    )


class Convolutions(torch.nn.Module):
    """Parallel convolutions, each with the same padding as ``torch.nn.Conv1d``'s "same".

    Args:
        width: D.
        filters: F of each kernel.
        kernels: their K widths.
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
        """(B, T, D), zero at padding -> (B, T, K F) without the bias, kernel by kernel."""
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


class CnnHead(SequenceHead):
    """Convolutions, ReLU, the maximum over real positions, dropout, one dense layer."""

    def __init__(self, settings: CnnSettings, width: int, classes: int) -> None:
        super().__init__(width, settings.input_dropout, settings.max_vectors)
        self.convolutions = Convolutions(width, settings.filters, settings.kernels)
        self.dropout = torch.nn.Dropout(settings.dropout)
        pooled = settings.filters * len(settings.kernels)
        self.output = torch.nn.Linear(pooled, classes)

    def classify(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """See :meth:`SequenceHead.classify`."""
        sums = self.convolutions(x)
        # Adding the bias and ReLU both keep the order, so they can wait until after the
        # maximum, where they cost a T-th.
        nowhere = torch.zeros_like(mask, dtype=sums.dtype).masked_fill(~mask, -torch.inf)
        highest = (sums + nowhere[:, :, None]).amax(dim=1)
        pooled = torch.relu(highest + self.convolutions.bias)
        logits: torch.Tensor = self.output(self.dropout(pooled))
        return logits
