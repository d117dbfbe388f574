"""Settings of heads: what shapes the model and what trains it, in one flat namespace."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from heads.class_weights import RULES as WEIGHT_RULES
from heads.class_weights import parse_weights
from heads.ranges import Range, choice

Initial = Literal["default", "orthogonal"]
DenseInitial = Literal["default", "orthogonal", "he_uniform", "normal"]
"""Initial weights of LSTM and of dense layers."""

Pooling = Literal["last", "max", "mean"]
"""Of the states of an LSTM."""

Units = tuple[Annotated[int, Field(ge=1, le=65536)], ...]
"""Units of each of several layers."""


MAX_EPOCHS = 10_000


class HeadSettings(BaseModel):
    """Settings of a head: frozen, validated, without unknown names."""

    # Of all heads a command makes one or two: the others' validators need not be built.
    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True
    )

    refit: bool = Field(
        True, description="in the end, train again on training and validation texts together"
    )


class TrainingSettings(HeadSettings):
    """Settings of all heads that are trained by gradient steps."""

    optimizer: Literal["adamw", "adam", "rmsprop", "sgd"] = Field(
        "adamw", description="optimizer; rmsprop with the constants of Keras"
    )
    learning_rate: Annotated[float, Range(5e-4, 1e-2, log=True)] = Field(
        2e-3, gt=0, le=1e3, description="peak step size"
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="share of the last step; only for sgd")
    weight_decay: Annotated[float, Range(1e-3, 1e-1, log=True)] = Field(
        1e-2, ge=0, le=10, description="decoupled weight decay; only for adamw and sgd"
    )
    batch_size: Annotated[int, choice(32, 64, 128)] = Field(
        64, ge=1, le=65536, description="texts per step"
    )
    epochs: int = Field(
        20, ge=1, le=MAX_EPOCHS, description="maximum passes over the training texts"
    )
    patience: int = Field(
        5, ge=1, le=MAX_EPOCHS, description="epochs without a better validation before it stops"
    )
    min_steps: int = Field(
        300,
        ge=0,
        le=MAX_EPOCHS,
        description="minimum steps of a training: few texts get more epochs, and more patience "
        "alike; 0, and if only epochs is set: no minimum",
    )
    warmup: float = Field(
        0.1, ge=0, le=1, description="share of all steps in which the step size rises"
    )
    schedule: Literal["cosine", "one_cycle", "constant"] = Field(
        "cosine",
        description="how the step size goes on after it has risen; one_cycle: it rises along "
        "a cosine, too",
    )
    averaging: float = Field(
        0.99,
        ge=0,
        lt=1,
        description="decay per step of the averaged weights; 0: off",
    )
    clip: float = Field(
        1.0,
        ge=0,
        le=1e6,
        description="maximum norm of the gradient, longer ones are clipped; 0: off",
    )
    loss: Literal["cross_entropy", "focal", "hardest"] = Field(
        "cross_entropy",
        description="of the steps; the history always shows the ordinary cross-entropy",
    )
    focal_gamma: float = Field(
        2.0, ge=0, le=20, description="loss=focal: how much less easy texts count"
    )
    hardest: int = Field(
        16, ge=1, description="loss=hardest: only this many texts of a batch count"
    )
    label_smoothing: Annotated[float, choice(0.0, 0.05, 0.1, 0.2)] = Field(
        0.1, ge=0, lt=1, description="share of each target spread evenly over all classes"
    )
    class_weights: str = Field(
        "none",
        description="balanced: each class weighs inversely to its frequency; or label=weight "
        "pairs joined by commas, other classes 1",
        examples=["balanced"],
    )
    members: int = Field(
        1,
        ge=1,
        le=64,
        description="heads that learn side by side; their probabilities are averaged",
    )
    input_dropout: Annotated[float, Range(0.0, 0.5, step=0.1)] = Field(
        0.2, ge=0, lt=1, description="share of features dropped from all vectors of a text"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="of matrix products in training; auto: bfloat16 if faster here",
    )

    @model_validator(mode="before")
    @classmethod
    def _as_many_as_said(cls, values: Any) -> Any:
        # Who says how many epochs gets them. So do settings from before min_steps, all written.
        if isinstance(values, Mapping) and "epochs" in values and "min_steps" not in values:
            return {**values, "min_steps": 0}
        return values

    def for_texts(self, count: int) -> Self:
        """Return the settings with as many epochs as ``count`` training texts need for
        ``min_steps``, and ``patience`` raised in proportion.
        """
        needed = math.ceil(self.min_steps / math.ceil(max(1, count) / self.batch_size))
        if needed <= self.epochs:
            return self
        patience = min(MAX_EPOCHS, math.ceil(self.patience * needed / self.epochs))
        return self.model_copy(update={"epochs": needed, "patience": patience})

    @field_validator("class_weights")
    @classmethod
    def _weights(cls, value: str) -> str:
        if value not in WEIGHT_RULES:
            parse_weights(value)
        return value


class SequenceSettings(TrainingSettings):
    """Settings of all heads over the sequence of vectors of a text."""

    max_vectors: int = Field(
        0,
        ge=0,
        le=100_000,
        description="maximum vectors used per text, also in prediction; 0: all",
    )


class DenseSettings(HeadSettings):
    """Settings of the dense layers before the output layer."""

    dense: Annotated[Units, choice("", "128", "256")] = Field(
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


class RecurrentSettings(HeadSettings):
    """Settings of the LSTM layers of every recurrent head."""

    recurrent_dropout: Annotated[float, choice(0.0, 0.2, 0.4)] = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of the hidden state dropped, the same units at every step",
    )
    init: Initial = Field(
        "default", description="initial input and recurrent weights of each gate of an LSTM"
    )
