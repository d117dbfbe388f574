"""Input and output of a training: the problem, the history of epochs, the fitted weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from features.vectors.table import FeatureTable
from heads.device import CPU
from heads.evaluation.measurements import StepMeasurements


@dataclass(frozen=True, eq=False)
class Problem:
    """What a head learns from.

    Attributes:
        table: the vectors of N texts.
        labels: (N,) int64 class ids. Those of the training rows are below ``classes``; others
            in validation count as errors.
        train: (n,) int64 training rows of the table.
        validation: (m,) int64 validation rows of the table.
        classes: C, the number of classes.
        names: the C labels, for class weights by label; may be empty.
        device: what to learn on, as ``heads.device.find_device`` gives it.
        near: weights of a head that learned from most of these texts, by name; a head with one
            optimum may begin there. Empty where there are none.
    """

    table: FeatureTable
    labels: np.ndarray
    train: np.ndarray
    validation: np.ndarray
    classes: int
    names: tuple[str, ...] = ()
    device: str = CPU
    near: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class EpochRecord:
    """One record of a history: an epoch, or a value that was tried (``logistic``: C; ``knn``:
    k).

    Attributes:
        epoch: number, from 1.
        train_loss: mean cross-entropy over the training texts during the epoch, with dropout,
            without label smoothing and class weights.
        train_accuracy: accuracy during the epoch, in [0, 1].
        validation_loss: mean cross-entropy over the validation texts with a label that training
            knows, in the precision of the training; NaN if there are none.
        validation_accuracy: in [0, 1], from the same logits.
        value: step size at the end of the epoch; for ``logistic`` the value of C, for ``knn``
            that of k.
        seconds: duration of the epoch, validation included.
        gradient_norm: mean over the steps, before clipping; for ``logistic`` at the optimum,
            for ``knn`` 0.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    value: float
    seconds: float
    gradient_norm: float

    @property
    def held_out_loss(self) -> float:
        """The validation loss for comparisons: infinite if it is NaN."""
        return math.inf if math.isnan(self.validation_loss) else self.validation_loss


OLD_NAMES = {"learning_rate": "value"}
"""Former name of a field of ``EpochRecord`` -> its present name."""


def current_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values that were written for an ``EpochRecord``, under the present names.

    Args:
        values: name -> value, as ``history.jsonl`` and ``head.json`` of any version have them.
    """
    return {OLD_NAMES.get(name, name): value for name, value in values.items()}


@dataclass(frozen=True, eq=False)
class Fitted:
    """The result of a fit: the best weights by name, the history, which record was best, and
    what was measured of the steps; None of a head that takes none.
    """

    state: dict[str, np.ndarray]
    history: tuple[EpochRecord, ...]
    best_epoch: int
    steps: StepMeasurements | None = None


OnEpoch = Callable[[EpochRecord], None]
