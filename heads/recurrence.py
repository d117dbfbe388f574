"""One LSTM layer in one or both directions, with the dropout and first weights of the sources.

Each direction runs from the first vector it is to see: real positions are brought to the
front in reading order (or in reverse), so that padding comes last and, an LSTM being
causal, touches nothing. That is what packed sequences do, but it stays one dense kernel
call a layer, which is several times faster on a CPU and takes bfloat16.
"""

from __future__ import annotations

import torch
from pydantic import Field

from heads.base import HeadSettings
from heads.initial import Initial, initialize_lstm
from heads.positions import take


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
    """One LSTM a direction over the same input.

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
        self.directions = torch.nn.ModuleList(
            torch.nn.LSTM(width, units, batch_first=True) for _ in range(directions)
        )
        for lstm in self.directions:
            assert isinstance(lstm, torch.nn.LSTM)
            initialize_lstm(lstm, settings.init)

    def forward(self, x: torch.Tensor, backwards: torch.Tensor) -> list[torch.Tensor]:
        """(B, T, D) and :func:`reversal` -> (B, T, U) a direction, in the order it ran."""
        inputs = [x, take(x, backwards)] if len(self.directions) == 2 else [x]
        return [
            self._run(lstm, each) for lstm, each in zip(self.directions, inputs, strict=True)
        ]

    def _run(self, lstm: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
        assert isinstance(lstm, torch.nn.LSTM)
        if torch.is_autocast_enabled(x.device.type):
            # torch chooses the kernel by the dtype that comes in, before autocast changes it:
            # for float32 that is one which processors without bfloat16 lack.
            x = x.to(torch.get_autocast_dtype(x.device.type))
        if not (self.training and self.recurrent_dropout):
            states: torch.Tensor = lstm(x)[0]
            return states
        kept = (
            torch.rand(x.shape[0], lstm.hidden_size, device=x.device) >= self.recurrent_dropout
        )
        return run_steps(lstm, x, kept.float() / (1 - self.recurrent_dropout))


def run_steps(lstm: torch.nn.LSTM, x: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """The states of an LSTM whose hidden state is scaled by ``kept`` before every step.

    Gal and Ghahramani, A theoretically grounded application of dropout in recurrent neural
    networks, 2016, arXiv:1512.05287. The inputs of all steps are one product; only the small
    recurrent products wait for one another, and those stay in float32.

    Args:
        lstm: one layer, one direction, batch first.
        x: (B, T, D).
        kept: (B, U) float32.

    Returns:
        (B, T, U) float32.
    """
    of_input, of_hidden, input_bias, hidden_bias = lstm.all_weights[0]
    inputs = torch.nn.functional.linear(x, of_input, input_bias + hidden_bias).float()
    recurrent = of_hidden.t()
    hidden = cell = torch.zeros_like(kept)
    states = []
    with torch.autocast(x.device.type, enabled=False):
        for each in inputs.unbind(dim=1):
            gates = torch.addmm(each, hidden * kept, recurrent)
            enter, forget, candidate, leave = gates.chunk(4, dim=1)
            cell = cell * forget.sigmoid() + enter.sigmoid() * candidate.tanh()
            hidden = leave.sigmoid() * cell.tanh()
            states.append(hidden)
        return torch.stack(states, dim=1)
