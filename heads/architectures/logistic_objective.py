"""The objective of ``logistic``, that of scikit-learn divided by n C:

    mean cross-entropy(W x + b, y) + ||W||^2 / (2 n C)        (b is not penalised)

It is convex, and Newton's method minimises it, from one C to the next. Products with the
Hessian are made in float32, which halves their time; the gradient is float64, so the optimum is
as exact. The Hessian is the mean of (diag p - p p') times (x x') over the texts. Conjugate
gradients see it as the product of the means of both factors, plus I / (n C) (after Böhning,
Multinomial logistic regression algorithm, Annals of the Institute of Statistical Mathematics,
1992): in the eigenvectors of both that is diagonal.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from heads.newton import Point, approach, minimize

FLAT = 1e-6
"""Smallest curvature between classes, as a share of the largest."""

SMALLEST = 1e-12
"""Smallest curvature: where all answers are sure it vanishes."""

BLOCK_BYTES = 2**21
"""Bytes of vectors per thread that are taken at once."""


@dataclass(frozen=True, eq=False)
class Optimum:
    """Weights (C, D), bias (C,), the objective there and the norm of its gradient."""

    weights: torch.Tensor
    bias: torch.Tensor
    loss: float
    gradient_norm: float

    def logits(self, x: torch.Tensor) -> np.ndarray:
        """Return (n, C) float64 logits of (n, D) vectors."""
        logits: np.ndarray = torch.addmm(self.bias[:, None], self.weights, x.T).T.numpy()
        return logits


class Objective:
    """The objective for one set of data, to be minimised for many values of C.

    The unknowns are one tensor (C, D + 1): the weights, then the bias. Logits are (C, n): with
    few classes such products take a third of the time of those with (n, C). Texts are taken in
    blocks, so that what one product reads is in the processor's cache for the next.

    Args:
        x: (n, D) float64, centred.
        y: (n,) int64 in 0..classes-1.
        classes: number of classes.
    """

    def __init__(self, x: torch.Tensor, y: torch.Tensor, classes: int) -> None:
        self.texts, self.width = x.shape
        self.classes = classes
        size = max(1, BLOCK_BYTES * torch.get_num_threads() // x[:1].nbytes)
        self.blocks = [
            _Block(x[start : start + size], y[start : start + size])
            for start in range(0, len(x), size)
        ]
        moments = sum((block.x.T @ block.x for block in self.blocks), x.new_zeros(()))
        moments, self.rotation = torch.linalg.eigh(moments / len(x))
        self.moments = moments.clamp_min(0.0)

    def start(self) -> Optimum:
        """Return zero weights: except for the bias, the optimum as C goes to 0."""
        zeros = self.moments.new_zeros
        return Optimum(zeros(self.classes, self.width), zeros(self.classes), np.inf, np.inf)

    def minimize(
        self, c: float, start: Optimum, tolerance: float, max_iterations: int
    ) -> Optimum:
        """Return the optimum for one C, from a starting point near it or from ``start()``."""

        def solve(c: float, place: torch.Tensor, tolerance: float) -> Point:
            penalty = 1.0 / (c * self.texts)
            measures = _Measures(self, place, penalty)
            return minimize(
                lambda there: self._evaluate(there, penalty, measures),
                place,
                tolerance,
                max_iterations,
            )

        place = torch.cat([start.weights, start.bias[:, None]], dim=1)
        if not np.isfinite(start.loss):
            place = approach(solve, c, place, tolerance)
        found = solve(c, place, tolerance)
        norm = float(found.gradient.double().norm())
        return Optimum(found.place[:, :-1], found.place[:, -1], found.loss, norm)

    def probabilities(self, place: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield (C, b) float32 probabilities of the texts of each block."""
        weights, bias = place[:, :-1].float(), place[:, -1:].float()
        for block in self.blocks:
            yield torch.addmm(bias, weights, block.fast.T).softmax(dim=0)

    def _evaluate(self, place: torch.Tensor, penalty: float, measures: _Measures) -> Point:
        """Return the objective at a place."""
        weights = place[:, :-1]
        slopes = torch.zeros_like(place)
        loss = penalty / 2 * float(weights.square().sum())
        probabilities = []
        for block in self.blocks:
            own_loss, shares = block.add_slopes(place, slopes)
            loss += own_loss / self.texts
            probabilities.append(shares)
        slopes /= self.texts
        slopes[:, :-1] += penalty * weights

        def product(direction: torch.Tensor) -> torch.Tensor:
            curved = torch.zeros_like(direction)
            for block, shares in zip(self.blocks, probabilities, strict=True):
                block.add_product(direction, shares, curved)
            curved /= self.texts
            curved[:, :-1].add_(direction[:, :-1], alpha=penalty)
            return curved

        return Point(
            place,
            loss,
            float(np.finfo(np.float64).eps) * abs(loss),
            slopes.float(),
            measures.distance(slopes),
            product,
            measures.precondition,
        )


class _Block:
    """Some texts: vectors (b, D) in float64 and float32, and their classes."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor) -> None:
        self.x, self.fast = x, x.float()
        self.own = y, torch.arange(len(y))

    def add_slopes(
        self, place: torch.Tensor, slopes: torch.Tensor
    ) -> tuple[float, torch.Tensor]:
        """Add the slopes of the texts; return the sum of their losses, and (C, b) float32
        probabilities."""
        logits = torch.addmm(place[:, -1:], place[:, :-1], self.x.T)
        logits -= logits.amax(dim=0)
        own = logits[self.own]
        total = logits.exp_().sum(dim=0)
        logits /= total
        probabilities = logits.float()
        residuals = logits
        residuals[self.own] -= 1
        slopes[:, :-1].addmm_(residuals, self.x)
        slopes[:, -1] += residuals.sum(dim=1)
        return float((total.log() - own).sum()), probabilities

    def add_product(
        self, direction: torch.Tensor, probabilities: torch.Tensor, curved: torch.Tensor
    ) -> None:
        """Add the product of the texts' part of the Hessian with a direction."""
        change = torch.addmm(direction[:, -1:], direction[:, :-1], self.fast.T)
        change *= probabilities
        change.addcmul_(probabilities, change.sum(dim=0), value=-1)
        curved[:, :-1].addmm_(change, self.fast)
        curved[:, -1] += change.sum(dim=1)


class _Measures:
    """What the curvature at a place says about all places near it.

    Args:
        objective: whose curvature it is.
        place: (C, D + 1) float64.
        penalty: 1 / (n C).
    """

    def __init__(self, objective: Objective, place: torch.Tensor, penalty: float) -> None:
        total, products, unsure = torch.zeros(objective.classes), torch.zeros(()), 0.0
        for p in objective.probabilities(place):
            total, products = total + p.sum(dim=1), products + p @ p.T
            unsure += float((p * (1.0 - p)).sum())
        mean, products = total / objective.texts, products / objective.texts
        curvature = max(unsure / objective.texts / objective.classes, SMALLEST)
        self.rotation, self.fast = objective.rotation, objective.rotation.float()
        self.scale = (curvature * objective.moments + penalty).rsqrt()
        self.bias_scale = 1.0 / math.sqrt(curvature)
        shares, classes = torch.linalg.eigh((torch.diag(mean) - products).double())
        shares.clamp_min_(max(FLAT * float(shares[-1]), SMALLEST))
        self.classes = classes.float()
        self.inverse = (1.0 / (shares[:, None] * objective.moments + penalty)).float()
        self.bias_inverse = (1.0 / shares).float()

    def distance(self, slopes: torch.Tensor) -> float:
        """Return the largest slope, each in the unit in which the curvature is about 1."""
        largest = float((self.scale * (slopes[:, :-1] @ self.rotation)).abs().max())
        return max(largest, self.bias_scale * float(slopes[:, -1].abs().max()))

    def precondition(self, direction: torch.Tensor) -> torch.Tensor:
        """Return about the inverse of the Hessian times a direction."""
        turned = self.classes.T @ direction[:, :-1] @ self.fast
        weights = self.classes @ (turned * self.inverse) @ self.fast.T
        # A bias that all classes share changes no probability, so it is left out.
        bias = direction[:, -1] - direction[:, -1].mean()
        bias = self.classes @ (bias @ self.classes * self.bias_inverse)
        bias -= bias.mean()
        return torch.cat([weights, bias[:, None]], dim=1)
