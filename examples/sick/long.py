"""The LSTM of a public question about news: one state after thousands of steps.

The state is that of each text's own last step, so the forward pass is right. What the first
words said has to survive every step after them. That is the fault.
"""

from __future__ import annotations

import numpy as np
import torch

from features.vectors.table import FeatureTable


class LastState(torch.nn.Module):
    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(width, 64, batch_first=True)
        self.output = torch.nn.Linear(64, classes)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        states, _ = self.lstm(x)
        return self.output(self.pool(states, lengths))

    def pool(self, states: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        # The fault: right for short texts, and after thousands of steps it knows no more.
        return states[torch.arange(len(states), device=states.device), lengths - 1]


class Cured(LastState):
    def pool(self, states: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        places = torch.arange(states.shape[1], device=states.device)
        padding = places >= lengths[:, None]
        return states.masked_fill(padding[:, :, None], -torch.inf).amax(dim=1)


def build(width: int, classes: int) -> torch.nn.Module:
    return LastState(width, classes)


def cured(width: int, classes: int) -> torch.nn.Module:
    return Cured(width, classes)


def lengthen(table: FeatureTable, vectors: int, seed: int = 0) -> FeatureTable:
    """Return texts of so many vectors each: their own, and behind them ones that say nothing.

    The filler lies around the mean vector of the table, with a tenth of its deviation.
    """
    random = np.random.default_rng(seed)
    values = table.values.astype(np.float32)
    center, deviation = values.mean(axis=0), 0.1 * values.std(axis=0)
    filled = np.empty((len(table), vectors, table.width), np.float16)
    for row in range(len(table)):
        own = table.sequence(row)[:vectors]
        filler = random.standard_normal((vectors - len(own), table.width), dtype=np.float32)
        filled[row] = np.concatenate([own, center + deviation * filler])
    offsets = np.arange(len(table) + 1, dtype=np.int64) * vectors
    return FeatureTable(filled.reshape(-1, table.width), offsets, table.layout)
