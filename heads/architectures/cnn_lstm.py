"""``cnn_lstm``: convolutions, max pooling over windows, then LSTMs over the shorter sequence.

With windows of ten vectors, a text of 3,000 vectors becomes 300 steps, which an LSTM can learn.
In the parallel form each kernel has its own LSTM; in the sequential form one LSTM reads the
maps of all kernels.
"""

from __future__ import annotations

import torch

from heads.architectures.settings import CnnLstmSettings
from heads.head import SequenceHead
from heads.layers.convolution import Convolutions
from heads.layers.dense import DenseStack
from heads.layers.dropout import Dropout
from heads.layers.masking import (
    mask_to_minus_inf,
    pool_states,
    pool_windows,
    reversal,
    to_front,
)
from heads.layers.norm import BatchNorm
from heads.layers.recurrence import Layer


class CnnLstmHead(SequenceHead):
    """Convolutions, ReLU, maxima of windows, dropout, LSTMs, dropout, dense layers."""

    def __init__(self, settings: CnnLstmSettings, width: int, classes: int) -> None:
        super().__init__(width, settings.input_dropout, settings.max_vectors)
        self.pool = settings.pool
        self.pooling = settings.pooling
        filters = settings.filters or width
        maps = filters * len(settings.kernels)
        self.branches = len(settings.kernels) if settings.form == "parallel" else 1
        directions = 2 if settings.bidirectional else 1
        self.convolutions = Convolutions(width, filters, settings.kernels)
        self.norm = BatchNorm(maps) if settings.batch_norm else None
        self.layer_dropout = Dropout(settings.layer_dropout)
        self.lstms = torch.nn.ModuleList(
            Layer(maps // self.branches, settings.units, directions, settings)
            for _ in range(self.branches)
        )
        self.dropout = Dropout(settings.dropout)
        wide = settings.units * directions * self.branches
        self.dense = DenseStack(settings, wide, settings.dropout)
        self.output = torch.nn.Linear(self.dense.width, classes)

    def classify(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """See :meth:`SequenceHead.classify`."""
        x, lengths = to_front(x, mask)
        real = (torch.arange(x.shape[1], device=x.device) < lengths)[:, :, None]
        maps = self.convolutions(x)
        if self.norm is not None:
            maps = self.norm(maps + self.convolutions.bias, real)
        maps = pool_windows(mask_to_minus_inf(maps, real), self.pool)
        if self.norm is None:
            maps = maps + self.convolutions.bias
        # A window without a real vector is minus infinity, so ReLU makes it the 0 of padding.
        maps = self.layer_dropout(torch.relu(maps))
        windows = torch.div(lengths + self.pool - 1, self.pool, rounding_mode="floor")
        backwards = reversal(windows, maps.shape[1])
        pooled = [
            pool_states(states, windows, self.pooling)
            for lstm, each in zip(self.lstms, maps.chunk(self.branches, dim=2), strict=True)
            for states in lstm(each, backwards)
        ]
        logits: torch.Tensor = self.output(self.dense(self.dropout(torch.cat(pooled, dim=1))))
        return logits
