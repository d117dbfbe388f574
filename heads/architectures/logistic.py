"""``logistic``: multinomial logistic regression on pooled vectors; validation chooses C.

The objective is scikit-learn's, divided by n C:

    mean cross-entropy(x W' + b, y) + ||W||^2 / (2 n C)        (b is not penalised)

It is convex, and Newton's method minimises it, from one C to the next. Products with the
Hessian are made in float32, which halves their time; the gradient is float64, so the optimum is
as exact. The Hessian is the mean of (diag p - p p') times (x x') over the texts. Conjugate
gradients see it as the product of the means of both factors, plus I / (n C) (after Böhning,
Multinomial logistic regression algorithm, Annals of the Institute of Statistical Mathematics,
1992): in the eigenvectors of both that is diagonal.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
import torch

from features.vectors.table import FeatureTable
from heads.architectures.settings import LogisticSettings
from heads.evaluation.metrics import accuracy, log_loss
from heads.head import Head
from heads.layers.standardize import MIN_DEVIATION, statistics
from heads.newton import Point, approach, minimize
from heads.problem import EpochRecord, Fitted, OnEpoch, Problem

FLAT = 1e-6
"""Smallest curvature between classes, as a share of the largest."""

SMALLEST = 1e-12
"""Smallest curvature: where all answers are sure it vanishes."""


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

    The unknowns are one tensor (D + 1, C): the weights, then the bias.

    Args:
        x: (n, D) float64, centred.
        y: (n,) int64 in 0..classes-1.
        classes: number of classes.
    """

    def __init__(self, x: torch.Tensor, y: torch.Tensor, classes: int) -> None:
        self.x, self.fast = x, x.float()
        self.y, self.rows = y, torch.arange(len(y))
        self.classes = classes
        moments, self.rotation = torch.linalg.eigh(x.T @ x / len(x))
        self.moments = moments.clamp_min(0.0)[:, None]

    def start(self) -> Optimum:
        """Return zero weights: except for the bias, the optimum as C goes to 0."""
        zeros = self.x.new_zeros
        width = self.x.shape[1]
        return Optimum(zeros(width, self.classes), zeros(self.classes), np.inf, np.inf)

    def minimize(
        self, c: float, start: Optimum, tolerance: float, max_iterations: int
    ) -> Optimum:
        """Return the optimum for one C, from a starting point near it or from ``start()``."""

        def solve(c: float, place: torch.Tensor, tolerance: float) -> Point:
            penalty = 1.0 / (c * len(self.y))
            measures = _Measures(self, place, penalty)
            return minimize(
                lambda there: self._evaluate(there, penalty, measures),
                place,
                tolerance,
                max_iterations,
            )

        place = torch.cat([start.weights, start.bias[None]])
        if not np.isfinite(start.loss):
            place = approach(solve, c, place, tolerance)
        found = solve(c, place, tolerance)
        norm = float(found.gradient.double().norm())
        return Optimum(found.place[:-1], found.place[-1], found.loss, norm)

    def _evaluate(self, place: torch.Tensor, penalty: float, measures: _Measures) -> Point:
        """Return the objective at a place."""
        logits = torch.addmm(place[-1], self.x, place[:-1])
        logits -= logits.amax(dim=1, keepdim=True)
        own = logits[self.rows, self.y]
        total = logits.exp_().sum(dim=1)
        logits /= total[:, None]
        probabilities = logits.float()
        residuals = logits
        residuals[self.rows, self.y] -= 1
        slopes = self.x.T @ residuals / len(self.y) + penalty * place[:-1]
        bias_slopes = residuals.mean(dim=0)
        loss = float((total.log() - own).mean())
        loss += penalty / 2 * float(place[:-1].square().sum())

        def product(direction: torch.Tensor) -> torch.Tensor:
            change = torch.addmm(direction[-1], self.fast, direction[:-1])
            change *= probabilities
            change.addcmul_(probabilities, change.sum(dim=1, keepdim=True), value=-1)
            curved = (self.fast.T @ change).div_(len(self.y))
            curved.add_(direction[:-1], alpha=penalty)
            return torch.cat([curved, change.mean(dim=0)[None]])

        return Point(
            place,
            loss,
            float(np.finfo(np.float64).eps) * abs(loss),
            torch.cat([slopes, bias_slopes[None]]).float(),
            measures.distance(slopes, bias_slopes),
            product,
            measures.precondition,
        )


class _Measures:
    """What the curvature at a place says about all places near it.

    Args:
        objective: whose curvature it is.
        place: (D + 1, C) float64.
        penalty: 1 / (n C).
    """

    def __init__(self, objective: Objective, place: torch.Tensor, penalty: float) -> None:
        p = torch.addmm(place[-1].float(), objective.fast, place[:-1].float()).softmax(dim=1)
        curvature = max(float((p * (1.0 - p)).mean()), SMALLEST)
        self.rotation, self.fast = objective.rotation, objective.rotation.float()
        self.scale = (curvature * objective.moments + penalty).rsqrt()
        self.bias_scale = 1.0 / math.sqrt(curvature)
        spread = (torch.diag(p.mean(dim=0)) - p.T @ p / len(p)).double()
        shares, classes = torch.linalg.eigh(spread)
        shares.clamp_min_(max(FLAT * float(shares[-1]), SMALLEST))
        self.classes = classes.float()
        self.inverse = (1.0 / (objective.moments * shares + penalty)).float()
        self.bias_inverse = (1.0 / shares).float()

    def distance(self, slopes: torch.Tensor, bias_slopes: torch.Tensor) -> float:
        """Return the largest slope, each in the unit in which the curvature is about 1."""
        largest = float((self.scale * (self.rotation.T @ slopes)).abs().max())
        return max(largest, self.bias_scale * float(bias_slopes.abs().max()))

    def precondition(self, direction: torch.Tensor) -> torch.Tensor:
        """Return about the inverse of the Hessian times a direction."""
        turned = self.fast.T @ direction[:-1] @ self.classes
        weights = self.fast @ (turned * self.inverse) @ self.classes.T
        # A bias that all classes share changes no probability, so it is left out.
        bias = direction[-1] - direction[-1].mean()
        bias = (bias @ self.classes * self.bias_inverse) @ self.classes.T
        bias -= bias.mean()
        return torch.cat([weights, bias[None]])


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
    """Return the weights at the C that was best, from those near it if there are any."""
    center, scale = _center_and_scale(settings, problem)
    x = (_vectors(problem.table, problem.train) - center) * scale
    objective = Objective(x, torch.from_numpy(problem.labels[problem.train]), problem.classes)
    start = _start(problem, center, scale) or objective.start()
    optimum = objective.minimize(best.value, start, settings.tolerance, settings.max_iterations)
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


def _start(problem: Problem, center: torch.Tensor, scale: torch.Tensor) -> Optimum | None:
    """Return the place of the weights near the optimum; undoes ``_state``."""
    if not problem.near:
        return None
    stored = (problem.near[name] for name in ("linear.weight", "linear.bias"))
    weights, bias = (torch.from_numpy(each.astype(np.float64)) for each in stored)
    weights = weights.T
    return Optimum(weights / scale[:, None], bias + center @ weights, 0.0, 0.0)


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
