"""``cnn``: parallel convolutions over the vectors of a text (Kim, 2014, arXiv:1408.5882).

A convolution is a sum of shifted matrix products, one per tap. Over a frozen input all taps of
all kernels are one product, D -> sum of filters x kernel, followed by shifted additions.
"""

from __future__ import annotations

import math

import torch

from heads.architectures.settings import CnnSettings
from heads.head import SequenceHead
from heads.layers.convolution import Convolutions
from heads.layers.dense import DenseStack
from heads.layers.masking import mask_to_minus_inf, pool_windows, to_front
from heads.layers.norm import BatchNorm


class CnnHead(SequenceHead):
    """Convolutions, ReLU, maxima over real positions, dropout, dense layers."""

    def __init__(self, settings: CnnSettings, width: int, classes: int) -> None:
        super().__init__(width, settings.input_dropout, settings.max_vectors)
        self.valid = settings.padding == "valid"
        self.pool = settings.pool if settings.pooling == "flatten" else 0
        self.min_vectors = self.max_vectors if self.pool else 0
        self.convolutions = Convolutions(width, settings.filters, settings.kernels)
        maps = settings.filters * len(settings.kernels)
        self.norm = BatchNorm(maps) if settings.batch_norm else None
        self.dropout = torch.nn.Dropout(settings.dropout)
        windows = math.ceil(settings.max_vectors / self.pool) if self.pool else 1
        self.dense = DenseStack(settings, maps * windows, settings.dropout)
        self.output = torch.nn.Linear(self.dense.width, classes)

    def classify(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """See :meth:`SequenceHead.classify`."""
        if self.pool:
            x, mask = self._fixed_length(x, mask)
        where = self._inside(mask) if self.valid else mask[:, :, None]
        logits: torch.Tensor = self.output(self.dense(self.dropout(self._pooled(x, where))))
        return logits

    def _pooled(self, x: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
        """Return (B, maps x windows): the maxima of the rectified maps over real positions."""
        bias = self.convolutions.bias
        # Adding the bias and ReLU both keep the order, so they can wait until after the
        # maximum, where they cost a T-th.
        if self.norm is None and not self.pool:
            return torch.relu(self.convolutions.maxima(x, where) + bias)
        maps = self.convolutions(x)
        if self.norm is not None:
            maps = self.norm(maps + bias, where)
        maps = mask_to_minus_inf(maps, where)
        pooled = pool_windows(maps, self.pool) if self.pool else maps.amax(dim=1)[:, None]
        return torch.relu(pooled if self.norm is not None else pooled + bias).flatten(1)

    def _fixed_length(
        self, x: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Move the real positions of each text to the front, and pad to max_vectors."""
        x, lengths = to_front(x, mask)
        x = torch.nn.functional.pad(x, (0, 0, 0, self.max_vectors))[:, : self.max_vectors]
        return x, torch.arange(self.max_vectors, device=x.device) < lengths

    def _inside(self, mask: torch.Tensor) -> torch.Tensor:
        """Return (B, T, K F): where the window of each kernel is inside the text, from (B, T).

        A text shorter than a kernel has the windows of ``same``.
        """
        place = (mask.long().cumsum(dim=1) - 1)[:, :, None]
        length = mask.sum(dim=1)[:, None, None]
        kernels = torch.tensor(self.convolutions.kernels, device=mask.device)
        first, last = place - (kernels - 1) // 2, place + kernels // 2
        inside = (first >= 0) & (last < length) | (length < kernels)
        return (inside & mask[:, :, None]).repeat_interleave(self.convolutions.filters, dim=2)
