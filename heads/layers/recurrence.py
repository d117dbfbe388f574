"""One LSTM layer in one or both directions, with the dropout and first weights of the sources.

Each direction runs from the first vector it is to see: real positions are brought to the
front in reading order (or in reverse), so that padding comes last and, an LSTM being
causal, touches nothing. That is what packed sequences do, but every step stays one dense
product. In bfloat16, and where nothing learns, torch's kernel takes them.
"""

from __future__ import annotations

import torch
from pydantic import Field

from heads.layers.init import Initial, initialize_lstm
from heads.layers.lstm_steps import unroll
from heads.layers.masking import gather
from heads.settings import HeadSettings


class RecurrentSettings(HeadSettings):
    """Settings of the LSTM layers of every recurrent head."""

    recurrent_dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of the hidden state dropped, the same units at every step",
    )
    init: Initial = Field(
        "default", description="first input and recurrent weights of each gate of an LSTM"
    )


class Layer(torch.nn.Module):
    """One LSTM per direction over the same input.

    Args:
        width: of the input.
        units: of each direction.
        directions: 1, forwards; or 2, backwards too.
        settings: dropout and first weights.
    """

    def __init__(
        self, width: int, units: int, directions: int, settings: RecurrentSettings
    ) -> None:
        super().__init__()
        self.recurrent_dropout = settings.recurrent_dropout
        self.units = units
        self.directions = torch.nn.ModuleList(
            torch.nn.LSTM(width, units, batch_first=True) for _ in range(directions)
        )
        for lstm in self.directions:
            assert isinstance(lstm, torch.nn.LSTM)
            initialize_lstm(lstm, settings.init)

    def forward(self, x: torch.Tensor, backwards: torch.Tensor) -> list[torch.Tensor]:
        """(B, T, D) and :func:`reversal` -> (B, T, U) a direction, in the order it ran."""
        lstms = [each for each in self.directions if isinstance(each, torch.nn.LSTM)]
        low = torch.is_autocast_enabled(x.device.type)
        if self.training and (self.recurrent_dropout or not low):
            return list(unroll(lstms, x, backwards, self._kept(x)))
        if low:
            # torch chooses the kernel by the dtype that comes in, before autocast changes it:
            # for float32 that is one which processors without bfloat16 lack.
            x = x.to(torch.get_autocast_dtype(x.device.type))
        inputs = [x, gather(x, backwards)] if len(lstms) == 2 else [x]
        return [lstm(each)[0] for lstm, each in zip(lstms, inputs, strict=True)]

    def _kept(self, x: torch.Tensor) -> torch.Tensor | None:
        if not self.recurrent_dropout:
            return None
        size = len(self.directions), len(x), self.units
        kept = torch.rand(size, device=x.device) >= self.recurrent_dropout
        return kept.float() / (1 - self.recurrent_dropout)
