"""The LSTM of two public questions: it reads the last step of the batch.

For every text but the longest of its batch that step is padding. That is the fault.
"""

from __future__ import annotations

import torch


class ReadsPadding(torch.nn.Module):
    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(width, 100, batch_first=True)
        self.output = torch.nn.Linear(100, classes)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        states, _ = self.lstm(x)
        return self.output(self.last(states, lengths))

    def last(self, states: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return states[:, -1]  # the fault: where the batch ends, not the text


class Cured(ReadsPadding):
    def last(self, states: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return states[torch.arange(len(states), device=states.device), lengths - 1]


def build(width: int, classes: int) -> torch.nn.Module:
    return ReadsPadding(width, classes)


def cured(width: int, classes: int) -> torch.nn.Module:
    return Cured(width, classes)
