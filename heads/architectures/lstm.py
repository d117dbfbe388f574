"""``lstm``: long short-term memory over the vectors of a text, in one or both directions."""

from __future__ import annotations

import torch

from heads.architectures.settings import LstmSettings
from heads.head import SequenceHead
from heads.layers.dense import DenseStack
from heads.layers.masking import gather, pool_states, reversal, to_front
from heads.layers.recurrence import Layer


class LstmHead(SequenceHead):
    """LSTM layers, pooling over real positions, dropout, dense layers."""

    def __init__(self, settings: LstmSettings, width: int, classes: int) -> None:
        super().__init__(width, settings.input_dropout, settings.max_vectors)
        self.pooling = settings.pooling
        self.dropout = torch.nn.Dropout(settings.dropout)
        self.layer_dropout = torch.nn.Dropout(settings.layer_dropout)
        directions = 2 if settings.bidirectional else 1
        wide = settings.units * directions
        widths = [width] + [wide] * (settings.layers - 1)
        self.layers = torch.nn.ModuleList(
            Layer(each, settings.units, directions, settings) for each in widths
        )
        self.dense = DenseStack(settings, wide, settings.dropout)
        self.output = torch.nn.Linear(self.dense.width, classes)

    def classify(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """See :meth:`SequenceHead.classify`."""
        x, lengths = to_front(x, mask)
        backwards = reversal(lengths, x.shape[1])
        states: list[torch.Tensor] = []
        for layer in self.layers:
            if states:
                # The states of both directions in reading order, one beside the other.
                states[1:] = [gather(each, backwards) for each in states[1:]]
                x = self.layer_dropout(torch.cat(states, dim=2))
            states = layer(x, backwards)
        pooled = torch.cat([pool_states(each, lengths, self.pooling) for each in states], dim=1)
        logits: torch.Tensor = self.output(self.dense(self.dropout(pooled)))
        return logits
