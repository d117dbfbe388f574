"""``logistic``: multinomial logistic regression on pooled vectors; validation chooses C."""

from __future__ import annotations

import time

import numpy as np
import torch

from features.vectors.table import FeatureTable
from heads.architectures.logistic_objective import Objective, Optimum
from heads.architectures.settings import LogisticSettings
from heads.evaluation.metrics import accuracy, log_loss
from heads.head import Head
from heads.layers.standardize import MIN_DEVIATION, statistics
from heads.problem import EpochRecord, Fitted, OnEpoch, Problem


class LogisticHead(Head):
    """A linear layer: x (B, 1, D) -> logits (B, C); of several positions the mean is used."""

    def __init__(self, settings: LogisticSettings, width: int, classes: int) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(width, classes)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """See :meth:`Head.forward`."""
        real = x.to(self.linear.weight.dtype).masked_fill(~mask[:, :, None], 0.0)
        mean = real.sum(1) / mask.sum(1, keepdim=True).clamp_min(1)
        logits: torch.Tensor = self.linear(mean)
        return logits


def fit_logistic(
    settings: LogisticSettings, problem: Problem, seed: int, on_epoch: OnEpoch | None = None
) -> Fitted:
    """Minimise for rising values of C, each from the optimum before; return the best.

    Best is the lowest validation loss: it is smooth in C, while the accuracy of some hundred
    texts varies by chance. The optimum is unique, so the seed is not used.
    """
    rows, labels = problem.train, torch.from_numpy(problem.labels[problem.train])
    center, scale = _center_and_scale(settings, problem)
    train = _vectors(problem.table, rows, center, scale)
    validation = _vectors(problem.table, problem.validation, center, scale)
    objective = Objective(train, labels, problem.classes)
    optimum = objective.start()
    history: list[EpochRecord] = []
    best, best_optimum, best_key = 0, optimum, (-np.inf, -np.inf)
    for c in settings.c:
        started = time.perf_counter()
        optimum = objective.minimize(c, optimum, settings.tolerance, settings.max_iterations)
        epoch = len(history) + 1
        record = _record(epoch, c, optimum, train, validation, problem, started)
        history.append(record)
        if on_epoch is not None:
            on_epoch(record)
        key = (-record.held_out_loss, record.validation_accuracy)
        if key > best_key:
            best, best_optimum, best_key = epoch, optimum, key
        elif epoch - best >= settings.patience:
            break
    return Fitted(_state(best_optimum, center, scale), tuple(history), best)


def refit_logistic(
    settings: LogisticSettings, problem: Problem, seed: int, best: EpochRecord
) -> dict[str, np.ndarray]:
    """Return the weights at the C that was best, from those near it if there are any."""
    center, scale = _center_and_scale(settings, problem)
    x = _vectors(problem.table, problem.train, center, scale)
    objective = Objective(x, torch.from_numpy(problem.labels[problem.train]), problem.classes)
    start = _start(problem, center, scale) or objective.start()
    optimum = objective.minimize(best.value, start, settings.tolerance, settings.max_iterations)
    return _state(optimum, center, scale)


def _vectors(
    table: FeatureTable, rows: np.ndarray, center: torch.Tensor, scale: torch.Tensor
) -> torch.Tensor:
    """Return (n, D) float64: (vector - center) * scale of the rows of a pooled table."""
    vectors = torch.from_numpy(table.values[rows].astype(np.float64))
    return vectors.sub_(center).mul_(scale)


def _center_and_scale(
    settings: LogisticSettings, problem: Problem
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (D,), (D,) float64. Centring changes only the bias, and improves the curvature."""
    center, deviation = statistics(problem.table, problem.train)
    if settings.standardize:
        scale = 1.0 / np.maximum(deviation, MIN_DEVIATION)
    else:
        scale = np.ones_like(deviation)
    return torch.from_numpy(center), torch.from_numpy(scale)


def _record(
    epoch: int,
    c: float,
    optimum: Optimum,
    train: torch.Tensor,
    validation: torch.Tensor,
    problem: Problem,
    started: float,
) -> EpochRecord:
    seen, held_out = optimum.logits(train), optimum.logits(validation)
    train_labels = problem.labels[problem.train]
    validation_labels = problem.labels[problem.validation]
    return EpochRecord(
        epoch=epoch,
        train_loss=log_loss(train_labels, seen),
        train_accuracy=accuracy(train_labels, seen.argmax(axis=1)),
        validation_loss=log_loss(validation_labels, held_out),
        validation_accuracy=accuracy(validation_labels, held_out.argmax(axis=1)),
        value=c,
        seconds=time.perf_counter() - started,
        gradient_norm=optimum.gradient_norm,
    )


def _start(problem: Problem, center: torch.Tensor, scale: torch.Tensor) -> Optimum | None:
    """Return the place of the weights near the optimum; undoes ``_state``."""
    if not problem.near:
        return None
    stored = (problem.near[name] for name in ("linear.weight", "linear.bias"))
    weights, bias = (torch.from_numpy(each.astype(np.float64)) for each in stored)
    return Optimum(weights / scale, bias + weights @ center, 0.0, 0.0)


def _state(
    optimum: Optimum, center: torch.Tensor, scale: torch.Tensor
) -> dict[str, np.ndarray]:
    """Return the weights of a :class:`LogisticHead` for vectors as stored in the table."""
    weights = optimum.weights * scale
    bias = optimum.bias - weights @ center
    return {
        "linear.weight": np.ascontiguousarray(weights.float().numpy()),
        "linear.bias": bias.float().numpy(),
    }
