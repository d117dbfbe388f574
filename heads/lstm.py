"""Long short-term memory over the vectors of a text, in one or both directions.

Each direction runs from the first vector it is to see: real positions are brought to the
front in reading order (or in reverse), so that padding comes last and, an LSTM being
causal, touches nothing. That is what packed sequences do, but it stays one dense kernel
call a layer, which is several times faster on a CPU and takes bfloat16.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field

from heads.base import SequenceSettings
from heads.inputs import SequenceHead


class LstmSettings(SequenceSettings):
    """Settings of ``lstm``."""

    units: int = Field(96, ge=1, le=4096, description="LSTM units a direction and layer")
    layers: int = Field(1, ge=1, le=16, description="LSTM layers, each over the one before")
    bidirectional: bool = Field(True, description="read the text backwards too")
    pooling: Literal["last", "max", "mean"] = Field(
        "max", description="of the states over real positions; last: where each direction ends"
    )
    dropout: float = Field(
        0.5,
        ge=0,
        lt=1,
        description="share of features dropped between layers and after pooling",
    )


class LstmHead(SequenceHead):
    """LSTM layers, pooling over real positions, dropout, one dense layer."""

    def __init__(self, settings: LstmSettings, width: int, classes: int) -> None:
        super().__init__(width, settings.input_dropout, settings.max_vectors)
        self.pooling = settings.pooling
        self.dropout = torch.nn.Dropout(settings.dropout)
        directions = 2 if settings.bidirectional else 1
        wide = settings.units * directions
        widths = [width] + [wide] * (settings.layers - 1)
        self.layers = torch.nn.ModuleList(
            Layer(each, settings.units, directions) for each in widths
        )
        self.output = torch.nn.Linear(wide, classes)

    def classify(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """See :meth:`SequenceHead.classify`."""
        x, lengths = to_front(x, mask)
        backwards = reversal(lengths, x.shape[1])
        states: list[torch.Tensor] = []
        for layer in self.layers:
            if states:
                # The states of both directions in reading order, one beside the other.
                states[1:] = [_take(each, backwards) for each in states[1:]]
                x = self.dropout(torch.cat(states, dim=2))
            states = layer(x, backwards)
        pooled = torch.cat([pool(each, lengths, self.pooling) for each in states], dim=1)
        logits: torch.Tensor = self.output(self.dropout(pooled))
        return logits


class Layer(torch.nn.Module):
    """One LSTM a direction over the same input.

    Args:
        width: of the input.
        units: of each direction.
        directions: 1, forwards; or 2, backwards too.
    """

    def __init__(self, width: int, units: int, directions: int) -> None:
        super().__init__()
        self.directions = torch.nn.ModuleList(
            torch.nn.LSTM(width, units, batch_first=True) for _ in range(directions)
        )

    def forward(self, x: torch.Tensor, backwards: torch.Tensor) -> list[torch.Tensor]:
        """(B, T, D) and :func:`reversal` -> (B, T, U) a direction, in the order it ran."""
        inputs = [x, _take(x, backwards)] if len(self.directions) == 2 else [x]
        return [lstm(each)[0] for lstm, each in zip(self.directions, inputs, strict=True)]


def to_front(x: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Real positions moved to the front, in order, wherever the padding stands.

    Args:
        x: (B, T, D).
        mask: (B, T) bool.

    Returns:
        (B, T, D) and (B, 1) int64 lengths.
    """
    order = torch.argsort(mask.logical_not().to(torch.uint8), dim=1, stable=True)
    return _take(x, order), mask.sum(dim=1, keepdim=True)


def reversal(lengths: torch.Tensor, steps: int) -> torch.Tensor:
    """(B, 1) lengths -> (B, steps) indices that reverse each text and leave its padding."""
    position = torch.arange(steps, device=lengths.device)
    return torch.where(position < lengths, lengths - 1 - position, position)


def pool(states: torch.Tensor, lengths: torch.Tensor, pooling: str) -> torch.Tensor:
    """(B, T, U) states of one direction, in the order it ran, (B, 1) lengths -> (B, U)."""
    if pooling == "last":
        return _take(states, (lengths - 1).clamp_min(0))[:, 0]
    padding = (torch.arange(states.shape[1], device=lengths.device) >= lengths)[:, :, None]
    if pooling == "max":
        # No state is below -1, the infimum of o tanh(c).
        return states.masked_fill(padding, -1.0).amax(dim=1)
    return states.masked_fill(padding, 0.0).sum(dim=1) / lengths.clamp_min(1)


def _take(x: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """x (B, T, D) at the positions (B, S) of ``order`` -> (B, S, D)."""
    return x.gather(1, order[:, :, None].expand(-1, -1, x.shape[2]))
