"""Dense layers between the pooling of a head and its output layer."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

import torch
from pydantic import Field, ValidationInfo, field_validator

from heads.layers.dropout import Dropout
from heads.layers.init import DenseInitial, initialize_dense
from heads.layers.norm import BatchNorm
from heads.settings import HeadSettings

ACTIVATIONS = {
    "relu": torch.nn.ReLU,
    "elu": torch.nn.ELU,
    "tanh": torch.nn.Tanh,
    "sigmoid": torch.nn.Sigmoid,
    "gelu": torch.nn.GELU,
}


Units = tuple[Annotated[int, Field(ge=1, le=65536)], ...]
"""Units of each of several layers."""


class DenseSettings(HeadSettings):
    """Settings of the dense layers before the output layer."""

    dense: Units = Field(
        (),
        max_length=64,
        description="units of dense layers before the last one; empty: none",
        examples=["128,64"],
    )
    dense_activation: Literal["relu", "elu", "tanh", "sigmoid", "gelu"] = Field(
        "relu", description="of the dense layers"
    )
    dense_norm: bool = Field(
        False, description="batch normalisation after the activation of each dense layer"
    )
    dense_init: DenseInitial = Field(
        "default", description="initial weights of the dense layers"
    )
    dense_std: tuple[Annotated[float, Field(gt=0, le=100)], ...] = Field(
        (0.05,),
        min_length=1,
        description="deviation of dense_init=normal: one for all layers, or one per layer",
    )

    @field_validator("dense_std")
    @classmethod
    def _one_each(cls, value: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
        layers = len(info.data.get("dense", ()))
        if len(value) not in (1, layers):
            raise ValueError(f"{len(value)} values for {layers} dense layers")
        return value


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
