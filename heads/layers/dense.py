"""Dense layers between the pooling of a head and its output layer."""

from __future__ import annotations

from itertools import pairwise

import torch

from heads.layers.dropout import Dropout
from heads.layers.init import initialize_dense
from heads.layers.norm import BatchNorm
from heads.settings import DenseSettings

ACTIVATIONS = {
    "relu": torch.nn.ReLU,
    "elu": torch.nn.ELU,
    "tanh": torch.nn.Tanh,
    "sigmoid": torch.nn.Sigmoid,
    "gelu": torch.nn.GELU,
}


class DenseStack(torch.nn.Module):
    """Dense layers, each with activation, optional batch normalisation, and dropout.

    Args:
        settings: settings of any number of layers.
        width: features of the input.
        dropout: share of the features of each layer dropped in training.

    Attributes:
        width: features of the output.
    """

    def __init__(self, settings: DenseSettings, width: int, dropout: float) -> None:
        super().__init__()
        widths = [width, *settings.dense]
        self.width = widths[-1]
        self.activation = ACTIVATIONS[settings.dense_activation]()
        self.dropout = Dropout(dropout)
        self.layers = torch.nn.ModuleList(
            torch.nn.Linear(before, after) for before, after in pairwise(widths)
        )
        self.norms = torch.nn.ModuleList(
            BatchNorm(units) if settings.dense_norm else torch.nn.Identity()
            for units in settings.dense
        )
        deviations = settings.dense_std * (len(settings.dense) // len(settings.dense_std))
        for layer, deviation in zip(self.layers, deviations, strict=True):
            assert isinstance(layer, torch.nn.Linear)
            initialize_dense(layer, settings.dense_init, deviation)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (B, units of the last layer) for (B, width)."""
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = self.dropout(norm(self.activation(layer(x))))
        return x
