"""``lstm``: long short-term memory over the vectors of a text, in one or both directions."""

from __future__ import annotations

import torch
from pydantic import Field

from heads.head import SequenceHead
from heads.layers.dense import DenseSettings, DenseStack
from heads.layers.masking import Pooling, gather, pool_states, reversal, to_front
from heads.layers.recurrence import Layer, RecurrentSettings
from heads.settings import SequenceSettings


class LstmSettings(DenseSettings, RecurrentSettings, SequenceSettings):
    """Settings of ``lstm``."""

    units: int = Field(96, ge=1, le=4096, description="LSTM units per direction and layer")
    layers: int = Field(1, ge=1, le=16, description="LSTM layers, each over the one before")
    bidirectional: bool = Field(True, description="read the text backwards too")
    pooling: Pooling = Field(
        "max", description="of the states over real positions; last: where each direction ends"
    )
    dropout: float = Field(
        0.5, ge=0, lt=1, description="share dropped after pooling and after each dense layer"
    )
    layer_dropout: float = Field(
        0.5, ge=0, lt=1, description="share of features dropped between LSTM layers"
    )


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
