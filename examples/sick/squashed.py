"""The convolutional network of a public question about emotions in short texts, as it was.

Two kernels of 100 filters, global maxima, dense layers, a softmax, and behind the softmax a
sigmoid, while the loss expects logits. That is the fault, and it stays here.
"""

from __future__ import annotations

import torch


class Squashed(torch.nn.Module):
    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.short = torch.nn.Conv1d(width, 100, 2, padding="same")
        self.long = torch.nn.Conv1d(width, 100, 6, padding="same")
        self.dropout = torch.nn.Dropout(0.6)
        self.dense = torch.nn.Linear(200, 270)
        self.output = torch.nn.Linear(270, classes)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x = x.transpose(1, 2)
        padding = ~mask[:, None, :]
        maps = [
            torch.relu(each(x)).masked_fill(padding, 0.0) for each in (self.short, self.long)
        ]
        pooled = self.dropout(torch.cat([each.amax(dim=2) for each in maps], dim=1))
        hidden = self.dropout(torch.relu(self.dense(pooled)))
        probabilities = torch.softmax(self.output(hidden), dim=1)
        return torch.sigmoid(probabilities)  # the fault: two functions too many before the loss


def build(width: int, classes: int) -> torch.nn.Module:
    return Squashed(width, classes)
