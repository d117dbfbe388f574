"""What every head has in common: settings, the module, and what a fit takes and gives.

    settings + Problem ──fit──> Fitted (weights as plain arrays, history)
    settings + width + classes ──build──> Head (x, mask -> logits)

Settings are flat: what shapes the model and what trains it share one namespace, so that
``--set units=64`` and ``--set learning_rate=0.001`` read alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator

from features.vectors.table import FeatureTable
from heads.class_weights import RULES as WEIGHT_RULES
from heads.class_weights import parse_weights


class HeadSettings(BaseModel):
    """Settings of a head: frozen, validated at construction, unknown names refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    refit: bool = Field(
        True, description="once chosen, learn again from training and validation texts together"
    )


class TrainingSettings(HeadSettings):
    """What every head that learns by gradient steps shares."""

    optimizer: Literal["adamw", "adam", "rmsprop", "sgd"] = Field(
        "adamw", description="rule of the steps; rmsprop with the constants of Keras"
    )
    learning_rate: float = Field(2e-3, gt=0, le=1e3, description="peak step size")
    momentum: float = Field(0.9, ge=0, lt=1, description="share of the last step; of sgd alone")
    weight_decay: float = Field(
        1e-2, ge=0, le=10, description="decoupled weight decay; of adamw and sgd alone"
    )
    batch_size: int = Field(64, ge=1, le=65536, description="texts a step")
    epochs: int = Field(20, ge=1, le=10_000, description="most passes over the training texts")
    patience: int = Field(
        5, ge=1, le=10_000, description="epochs without a better validation before it stops"
    )
    warmup: float = Field(
        0.1, ge=0, le=1, description="share of all steps in which the step size rises"
    )
    schedule: Literal["cosine", "one_cycle", "constant"] = Field(
        "cosine",
        description="how the step size goes on after the warm-up; one_cycle: rises along a "
        "cosine too, from a 25th",
    )
    averaging: float = Field(
        0.99,
        ge=0,
        lt=1,
        description="decay a step of the averaged weights that are kept; 0: off",
    )
    clip: float = Field(
        1.0,
        ge=0,
        le=1e6,
        description="largest norm of the gradient, longer ones are cut; 0: off",
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
    label_smoothing: float = Field(
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
    input_dropout: float = Field(
        0.2, ge=0, lt=1, description="share of features dropped from all vectors of a text"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of matrix products in training; auto: bfloat16 if the CPU gains"
    )

    @field_validator("class_weights")
    @classmethod
    def _weights(cls, value: str) -> str:
        if value not in WEIGHT_RULES:
            parse_weights(value)
        return value


class SequenceSettings(TrainingSettings):
    """What every head over the vectors of a text in their order shares."""

    max_vectors: int = Field(
        0,
        ge=0,
        le=100_000,
        description="vectors seen of a text, the first ones, ever after too; 0: all",
    )


class Head(torch.nn.Module):
    """A classifier over the vectors of one text.

    Attributes:
        max_vectors: how many vectors of a text are seen at the most; 0: all.
        least_vectors: how many even a shorter text is padded to inside, for the memory that
            a batch takes.

    ``forward`` keeps no Python state and does not branch on values, so that the parameters
    of several heads of one shape can be stacked and trained together.
    """

    max_vectors: int = 0
    least_vectors: int = 0

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Logits of a batch; never a softmax.

        Args:
            x: (B, T, D) vectors, any float dtype. Needs no gradient.
            mask: (B, T) bool, True at real positions, which stand side by side. What ``x``
                holds before and after them is ignored.

        Returns:
            (B, C) logits.
        """
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Problem:
    """What a head is to learn.

    Attributes:
        table: the vectors of N texts.
        labels: (N,) int64; those of the training and validation rows are below ``classes``
            in training, and anything in validation counts as an error if it is not.
        train: (n,) int64 rows of the table to learn from.
        validation: (m,) int64 rows to choose by.
        classes: C, the number of classes.
        names: their C labels, for weights given by label; may be left out.
    """

    table: FeatureTable
    labels: np.ndarray
    train: np.ndarray
    validation: np.ndarray
    classes: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class EpochRecord:
    """One line of a history: an epoch, or a value tried (``logistic``: C; ``knn``: k).

    Attributes:
        epoch: from 1.
        train_loss: mean cross-entropy over the training texts, without smoothing or class
            weights, as seen during the epoch (dropout on).
        train_accuracy: of the same passes, in [0, 1].
        validation_loss: mean cross-entropy over the validation texts whose label is known in
            training; NaN if none is.
        validation_accuracy: in [0, 1].
        learning_rate: at the end of the epoch; for ``logistic`` the value of C, for
            ``knn`` that of k.
        seconds: wall time of the epoch, validation included.
        gradient_norm: mean over the steps before clipping; for ``logistic`` at the optimum,
            for ``knn`` 0.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float
    seconds: float
    gradient_norm: float

    @property
    def held_out_loss(self) -> float:
        """The validation loss to choose by: infinite where no validation label is known."""
        return math.inf if math.isnan(self.validation_loss) else self.validation_loss


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a fit gives: the best weights by name, the history, and which record was best."""

    state: dict[str, np.ndarray]
    history: tuple[EpochRecord, ...]
    best_epoch: int


OnEpoch = Callable[[EpochRecord], None]


@dataclass(frozen=True)
class HeadType:
    """One row of the registry.

    Attributes:
        name: what ``--head`` takes.
        settings: the class of its settings.
        layouts: those it takes, the natural one first.
        summary: two lines: what it is for; what it costs.
        step: what one record of its history is, for people.
        build: (settings, D, C) -> untrained Head. Its settings are of ``settings``' class.
        fit: (settings, problem, seed, on_epoch) -> Fitted.
        refit: (settings, problem, seed, record) -> weights by name: what ``fit`` does up to
            the record that was best, learning from all ``train`` of the problem and choosing
            nothing.
    """

    name: str
    settings: type[HeadSettings]
    layouts: tuple[str, ...]
    summary: tuple[str, str]
    build: Callable[[Any, int, int], Head]
    fit: Callable[[Any, Problem, int, OnEpoch | None], Fitted]
    refit: Callable[[Any, Problem, int, EpochRecord], dict[str, np.ndarray]]
    step: str = "epoch"
