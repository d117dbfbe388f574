"""One LSTM layer in one or both directions, with recurrent dropout and initial weights.

Real positions are moved to the front in reading order, or in reverse for the backward
direction. So padding comes last and does not influence a causal LSTM. Packed sequences do the
same, but here every step is one dense product. In bfloat16, without training, and on a GPU,
torch's kernel is used.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from heads.layers.init import initialize_lstm
from heads.layers.lstm_steps import unroll
from heads.layers.masking import gather
from heads.settings import RecurrentSettings


class Layer(torch.nn.Module):
    """One LSTM per direction over the same input.

    Args:
        width: features of the input.
        units: units per direction.
        directions: 1, forward; or 2, also backward.
        settings: dropout and initial weights.
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
        """Return (B, T, U) per direction, in the order of its steps.

        Args:
            x: (B, T, D).
            backwards: (B, T) int64 indices from :func:`heads.layers.masking.reversal`.
        """
        lstms = [each for each in self.directions if isinstance(each, torch.nn.LSTM)]
        if x.device.type != "cpu" and not (self.training and self.recurrent_dropout):
            return by_torch(lstms, x, backwards)
        low = torch.is_autocast_enabled(x.device.type)
        if self.training and (self.recurrent_dropout or not low):
            return list(unroll(lstms, x, backwards, self._dropout_mask(x)))
        if low:
            # torch chooses the kernel by the dtype that comes in, before autocast changes it:
            # for float32 that is one which processors without bfloat16 lack.
            x = x.to(torch.get_autocast_dtype(x.device.type))
        inputs = [x, gather(x, backwards)] if len(lstms) == 2 else [x]
        return [lstm(each)[0] for lstm, each in zip(lstms, inputs, strict=True)]

    def _dropout_mask(self, x: torch.Tensor) -> torch.Tensor | None:
        if not self.recurrent_dropout:
            return None
        size = len(self.directions), len(x), self.units
        dropout_mask = torch.rand(size, device=x.device) >= self.recurrent_dropout
        return dropout_mask.float() / (1 - self.recurrent_dropout)


def by_torch(
    lstms: Sequence[torch.nn.LSTM], x: torch.Tensor, backwards: torch.Tensor
) -> list[torch.Tensor]:
    """Return the states of one LSTM per direction from torch's own kernel, as ``unroll`` does.

    On a GPU that is cuDNN. It runs in float32 (TF32, where the training lets products be
    rounded): autocast would choose float16 for it, in which small gradients become zero.

    Args:
        lstms: one per direction.
        x: (B, T, D).
        backwards: (B, T) int64, as for :func:`heads.layers.lstm_steps.unroll`.
    """
    with torch.autocast(x.device.type, enabled=False):
        x = x.float()
        inputs = [x, gather(x, backwards)] if len(lstms) == 2 else [x]
        return [lstm(each)[0] for lstm, each in zip(lstms, inputs, strict=True)]
