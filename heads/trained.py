"""TrainedHead, the result of a training, and ``fit``, which trains one."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from features.errors import SettingError
from features.vectors.table import FeatureTable
from heads.device import CPU
from heads.evaluation.calibration import softmax
from heads.head import Head
from heads.problem import EpochRecord, OnEpoch, Problem
from heads.registry import check_layout, head_type
from heads.settings import HeadSettings
from heads.training.inference import compute_logits
from heads.training.optimizers import without_compiler


@dataclass(frozen=True, eq=False)
class TrainedHead:
    """A trained classifier over the vectors of one space.

    Attributes:
        head: name of the head in the registry.
        settings: settings that it was trained with.
        classes: the C labels, in the order of the logits.
        layout: layout of the tables that it takes.
        width: D of the tables that it takes.
        state: the best weights by name, float32.
        history: one record per epoch; for ``logistic`` and ``knn``, one per value of C or k.
        best_epoch: number of the record with these weights, from 1.
        temperature: positive number by which the logits are divided before the softmax, so that
            the probabilities are calibrated; it does not change predictions.
    """

    head: str
    settings: HeadSettings
    classes: tuple[str, ...]
    layout: str
    width: int
    state: dict[str, np.ndarray]
    history: tuple[EpochRecord, ...]
    best_epoch: int
    temperature: float = 1.0

    @property
    def parameters(self) -> int:
        """Number of learned parameters, without measured statistics."""
        return sum(parameter.numel() for parameter in self.module.parameters())

    @cached_property
    def module(self) -> Head:
        """Build the head with its weights, in evaluation mode."""
        with torch.device("meta"):  # no memory and no random numbers for weights soon replaced
            head = head_type(self.head).build(self.settings, self.width, len(self.classes))
        state = {name: torch.from_numpy(value.copy()) for name, value in self.state.items()}
        head.load_state_dict(state, assign=True)
        return head.eval()

    def logits(self, table: FeatureTable, rows: np.ndarray, device: str = CPU) -> np.ndarray:
        """Return (n, C) float32 logits of some texts.

        Args:
            table: vectors of N texts.
            rows: (n,) int64 rows of the table.
            device: what to compute on, as :func:`heads.registry.device_of` gives it.

        Raises:
            SettingError: the table has another layout or width than in training.
            DeviceMemoryError: the memory of a GPU does not suffice.
        """
        if (table.layout, table.width) != (self.layout, self.width):
            raise SettingError(
                f"this {self.head} head takes {self.layout} vectors of width {self.width}, not "
                f"{table.layout} vectors of width {table.width}: use the encoder and layout "
                "that it was trained with"
            )
        if len(rows) == 0:
            return np.zeros((0, len(self.classes)), dtype=np.float32)
        module = self.module if device == CPU else copy.deepcopy(self.module).to(device)
        return compute_logits(module, table, rows, device)

    def predict_proba(
        self, table: FeatureTable, rows: np.ndarray, device: str = CPU
    ) -> np.ndarray:
        """Return (n, C) float32 probabilities: the softmax of the logits / ``temperature``.

        Arguments and errors are those of :meth:`logits`.
        """
        return softmax(self.logits(table, rows, device), self.temperature)


def fit(
    head: str,
    settings: HeadSettings,
    table: FeatureTable,
    labels: np.ndarray,
    train: np.ndarray,
    validation: np.ndarray,
    classes: tuple[str, ...],
    seed: int,
    on_epoch: OnEpoch | None = None,
    device: str = CPU,
) -> TrainedHead:
    """Train a head.

    Args:
        head: name of the head in the registry.
        settings: its settings, from :func:`heads.registry.make_settings`.
        table: vectors of N texts, in a layout that the head takes.
        labels: (N,) int64 class ids.
        train: (n,) int64 training rows; their labels are below C.
        validation: (m,) int64 validation rows, m at least 1.
        classes: the C labels, in the order of their ids.
        seed: seed of everything random.
        on_epoch: called with every record of the history.
        device: what to learn on, as :func:`heads.registry.device_of` gives it. What is learned
            is returned in the memory of the processor.

    Returns:
        The head with the weights of the best record.

    Raises:
        SettingError: there is no such head, it takes other layouts, or a class weight is for an
            unknown label.
        BadVectorError: a training vector is not finite.
        DivergedError: the loss became NaN or infinite.
        DeviceMemoryError: the memory of a GPU does not suffice.
    """
    check_layout(head, table.layout)
    problem = Problem(table, labels, train, validation, len(classes), classes, device)
    with without_compiler():
        fitted = head_type(head).fit(settings, problem, seed, on_epoch)
    return TrainedHead(
        head=head,
        settings=settings,
        classes=classes,
        layout=table.layout,
        width=table.width,
        state=fitted.state,
        history=fitted.history,
        best_epoch=fitted.best_epoch,
    )


def refit(
    trained: TrainedHead,
    table: FeatureTable,
    labels: np.ndarray,
    rows: np.ndarray,
    seed: int,
    device: str = CPU,
) -> TrainedHead:
    """Train the same head again, on training and validation texts together.

    Settings, seed and number of epochs (or C, or k) are those of the best record. The scores of
    the new head on validation texts mean nothing, since it has learned from them.

    Args:
        trained: what ``fit`` returned.
        table, labels: as for ``fit``.
        rows: (n,) int64 rows to learn from, usually training and validation rows.
        seed, device: as for ``fit``.

    Raises:
        BadVectorError, DivergedError, DeviceMemoryError: like ``fit``.
    """
    problem = Problem(
        table, labels, rows, rows[:0], len(trained.classes), trained.classes, device
    )
    best = trained.history[trained.best_epoch - 1]
    with without_compiler():
        state = head_type(trained.head).refit(trained.settings, problem, seed, best)
    return replace(trained, state=state)
