"""What a training takes and gives: a problem, a history of epochs, fitted weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from features.vectors.table import FeatureTable


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
