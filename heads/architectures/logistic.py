"""``logistic``: multinomial logistic regression on pooled vectors; validation chooses C.

The objective is scikit-learn's, divided by n C:

    mean cross-entropy(x W' + b, y) + ||W||^2 / (2 n C)        (b is not penalised)

It is convex, and L-BFGS minimises it in coordinates in which its curvature is nearly the same
in all directions. At the starting point the Hessian is close to a S + I / (n C), with S the
second moment of x and a the mean of p (1 - p) (after Böhning, Multinomial logistic regression
algorithm, Annals of the Institute of Statistical Mathematics, 1992). In the eigenvectors of S
it is diagonal, so a rotation of the data and one scale per coordinate are enough.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from features.vectors.table import FeatureTable
from heads.architectures.settings import LogisticSettings
from heads.evaluation.metrics import accuracy, log_loss
from heads.head import Head
from heads.layers.standardize import MIN_DEVIATION, statistics
from heads.problem import EpochRecord, Fitted, OnEpoch, Problem

# Corrections that L-BFGS remembers; more did not pay on any data set tried.
MEMORY = 10


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


@dataclass(frozen=True, eq=False)
class Optimum:
    """Weights (D, C), bias (C,), the objective there and the norm of its gradient."""

    weights: torch.Tensor
    bias: torch.Tensor
    loss: float
    gradient_norm: float


class Objective:
    """The objective for one set of data, to be minimised for many values of C.

    Args:
        x: (n, D) float64, centred.
        y: (n,) int64 in 0..classes-1.
        classes: number of classes.
    """

    def __init__(self, x: torch.Tensor, y: torch.Tensor, classes: int) -> None:
        self.y = y
        self.classes = classes
        moments, self.rotation = torch.linalg.eigh(x.T @ x / len(x))
        self.moments = moments.clamp_min(0.0)[:, None]
        self.rotated = x @ self.rotation

    def start(self) -> Optimum:
        """Return zero weights: except for the bias, the optimum as C goes to 0."""
        width = self.rotated.shape[1]
        zeros = self.rotated.new_zeros
        return Optimum(zeros(width, self.classes), zeros(self.classes), np.inf, np.inf)

    def minimize(
        self, c: float, start: Optimum, tolerance: float, max_iterations: int
    ) -> Optimum:
        """Return the optimum for one C, from a starting point near it."""
        penalty = 1.0 / (c * len(self.y))
        weights = self.rotation.T @ start.weights
        probabilities = torch.softmax(self.rotated @ weights + start.bias, dim=1)
        curvature = (probabilities * (1.0 - probabilities)).mean().clamp_min(1e-12)
        scale = (curvature * self.moments + penalty).rsqrt()
        bias_scale = curvature.rsqrt()
        # The unknowns: weights = scale * v, bias = bias_scale * u.
        v = (weights / scale).requires_grad_()
        u = (start.bias / bias_scale).requires_grad_()
        optimizer = torch.optim.LBFGS(
            [v, u],
            max_iter=max_iterations,
            max_eval=2 * max_iterations,
            tolerance_grad=tolerance,
            tolerance_change=0.0,
            history_size=MEMORY,
            line_search_fn="strong_wolfe",
        )

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            w = scale * v
            logits = torch.addmm(bias_scale * u, self.rotated, w)
            loss: torch.Tensor = torch.nn.functional.cross_entropy(logits, self.y)
            loss = loss + penalty / 2 * w.square().sum()
            loss.backward()  # type: ignore[no-untyped-call]
            return loss.detach()

        optimizer.step(closure)  # type: ignore[no-untyped-call]
        loss = float(closure())
        # The rotation keeps lengths: this is the gradient's norm in the original coordinates.
        slopes = [_gradient(v) / scale, _gradient(u) / bias_scale]
        norm = float(torch.cat([slope.flatten() for slope in slopes]).norm())
        weights = self.rotation @ (scale * v).detach()
        return Optimum(weights, (bias_scale * u).detach(), loss, norm)


def _gradient(parameter: torch.Tensor) -> torch.Tensor:
    assert parameter.grad is not None  # closure() has just run backward
    return parameter.grad


def fit_logistic(
    settings: LogisticSettings, problem: Problem, seed: int, on_epoch: OnEpoch | None = None
) -> Fitted:
    """Minimise for rising values of C, each from the optimum before; return the best.

    Best is the lowest validation loss: it is smooth in C, while the accuracy of some hundred
    texts varies by chance. The optimum is unique, so the seed is not used.
    """
    rows, labels = problem.train, torch.from_numpy(problem.labels[problem.train])
    center, scale = _center_and_scale(settings, problem)
    train = (_vectors(problem.table, rows) - center) * scale
    validation = (_vectors(problem.table, problem.validation) - center) * scale
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
    """Return the weights at the C that was best."""
    center, scale = _center_and_scale(settings, problem)
    x = (_vectors(problem.table, problem.train) - center) * scale
    objective = Objective(x, torch.from_numpy(problem.labels[problem.train]), problem.classes)
    optimum = objective.minimize(
        best.value, objective.start(), settings.tolerance, settings.max_iterations
    )
    return _state(optimum, center, scale)


def _vectors(table: FeatureTable, rows: np.ndarray) -> torch.Tensor:
    """Return (n, D) float64 vectors of the rows of a pooled table."""
    return torch.from_numpy(table.values[rows].astype(np.float64))


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
    seen = (train @ optimum.weights + optimum.bias).numpy()
    held_out = (validation @ optimum.weights + optimum.bias).numpy()
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


def _state(
    optimum: Optimum, center: torch.Tensor, scale: torch.Tensor
) -> dict[str, np.ndarray]:
    """Return the weights of a :class:`LogisticHead` for vectors as stored in the table."""
    weights = optimum.weights * scale[:, None]
    bias = optimum.bias - center @ weights
    return {
        "linear.weight": np.ascontiguousarray(weights.T.float().numpy()),
        "linear.bias": bias.float().numpy(),
    }
