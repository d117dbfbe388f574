"""The convolutional network of a public question about emotions in short texts, as it was.

Two kernels of 100 filters, global maxima, dense layers, a softmax, and behind the softmax a
sigmoid, while the loss expects logits. That is the fault, and it stays here.
"""

from __future__ import annotations

import torch


class Squashed(torch.nn.Module):
    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.short = torch.nn.Conv1d(width, 100, 2, padding=1)
        self.long = torch.nn.Conv1d(width, 100, 6, padding=3)
        self.dropout = torch.nn.Dropout(0.6)
        self.dense = torch.nn.Linear(200, 270)
        self.output = torch.nn.Linear(270, classes)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        maps = []
        for convolution in (self.short, self.long):
            found = torch.relu(convolution(x.transpose(1, 2)))[:, :, : x.shape[1]]
            maps.append(found.masked_fill(~mask[:, None, :], 0.0).amax(dim=2))
        pooled = self.dropout(torch.cat(maps, dim=1))
        hidden = self.dropout(torch.relu(self.dense(pooled)))
        return self.squash(self.output(hidden))

    def squash(self, logits: torch.Tensor) -> torch.Tensor:
        probabilities = torch.softmax(logits, dim=1)
        return torch.sigmoid(probabilities)  # the fault: two functions too many before the loss


class Cured(Squashed):
    def squash(self, logits: torch.Tensor) -> torch.Tensor:
        return logits


def build(width: int, classes: int) -> torch.nn.Module:
    return Squashed(width, classes)


def cured(width: int, classes: int) -> torch.nn.Module:
    return Cured(width, classes)
