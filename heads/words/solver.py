"""Multinomial logistic regression over sparse values: the objective of ``logistic``.

Two ways to the same optimum. With many texts Newton's method takes steps in the weights: a
product with the Hessian costs one of the sparse matrix with (V, C) weights and one of its
transpose with (n, C) changes, some 4 C operations for each value, and about 10 passes over the
weights. The columns are centred without being stored so. Conjugate gradients see the Hessian as
the curvature of each class times the second moment of each column. With few texts, whose values
are many times more, the texts' products with each other, (n, n), hold all there is to know; in
their principal coordinates the data are (n, n) and dense.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse

from heads.architectures.logistic import SMALLEST, Objective, Optimum
from heads.newton import Point, approach, minimize

FEW = 1500
"""Texts up to which the products of texts with each other are used."""

TOLERANCE = 1e-3
"""Maximum entry of the (scaled) gradient at the optimum. With 1e-4 no validation accuracy was
higher, in three times the steps."""

STEPS = 200


class SparseObjective:
    """The objective over many texts.

    Args:
        x: (n, V) float32.
        y: (n,) int64 in 0..classes-1.
        classes: C.
    """

    def __init__(self, x: sparse.csr_matrix, y: np.ndarray, classes: int) -> None:
        self.x, self.transposed = x, x.T.tocsr()
        self.y, self.classes, self.rows = y, classes, np.arange(len(y))
        self.mean = np.asarray(x.mean(axis=0), np.float32).ravel()
        squares = np.asarray(x.multiply(x).mean(axis=0), np.float32).ravel()
        self.moments = np.maximum(squares - self.mean**2, 0)
        # The same places as in ``transposed``, so only the values are stored once more.
        self.squares = sparse.csr_matrix(
            (self.transposed.data**2, self.transposed.indices, self.transposed.indptr),
            self.transposed.shape,
        )
        self.place: torch.Tensor | None = None

    def begin(self, weights: np.ndarray, bias: np.ndarray) -> None:
        """Take (V, C) weights and (C,) bias near the optimum as the starting point."""
        place = np.concatenate([weights, (bias + self.mean @ weights)[None]])
        self.place = torch.from_numpy(place.astype(np.float32))

    def minimize(self, c: float, tolerance: float = TOLERANCE) -> tuple[np.ndarray, np.ndarray]:
        """Return (V, C) weights and (C,) bias for one C, starting from the optimum before."""
        place = self.place
        if place is None:
            zeros = torch.zeros(self.x.shape[1] + 1, self.classes)
            place = approach(self._solve, c, zeros, tolerance)
        self.place = self._solve(c, place, tolerance).place
        weights, bias = self.place[:-1].numpy(), self.place[-1].numpy()
        return weights, bias - self.mean @ weights

    def _solve(self, c: float, place: torch.Tensor, tolerance: float) -> Point:
        penalty = 1.0 / (c * len(self.y))
        p, _ = self._probabilities(place.numpy())
        curvature = max(float((p * (1 - p)).mean()), SMALLEST)
        scale = 1 / np.sqrt(np.float32(curvature) * self.moments + np.float32(penalty))
        scales = np.append(scale, np.float32(curvature**-0.5))[:, None]
        return minimize(
            lambda there: self._evaluate(there, penalty, scales), place, tolerance, STEPS
        )

    def _evaluate(self, place: torch.Tensor, penalty: float, scales: np.ndarray) -> Point:
        """Return the objective at a place, (V + 1, C): the weights, then the bias."""
        p, loss = self._probabilities(place.numpy())
        loss += penalty / 2 * float(place[:-1].square().sum(dtype=torch.float64))
        residuals = p.copy()
        residuals[self.rows, self.y] -= 1
        slopes = self._back(residuals, place, penalty)

        def product(direction: torch.Tensor) -> torch.Tensor:
            change = self._logits(direction.numpy())
            change *= p
            change -= p * change.sum(axis=1, keepdims=True)
            return self._back(change, direction, penalty)

        spread = (p * (1 - p)).mean(axis=0)
        weights = 1 - np.square(p).sum(axis=1)
        weights /= max(float(weights.mean()), SMALLEST) * len(p)
        curvatures = torch.from_numpy(np.outer(self.squares @ weights, spread)).add_(penalty)
        bias = max(float(spread.mean()), SMALLEST)

        def precondition(direction: torch.Tensor) -> torch.Tensor:
            return torch.cat([direction[:-1] / curvatures, direction[-1:] / bias])

        distance = float((slopes.abs() * torch.from_numpy(scales)).max())
        rounding = float(np.finfo(np.float32).eps) * abs(loss)
        return Point(place, loss, rounding, slopes, distance, product, precondition)

    def _logits(self, place: np.ndarray) -> np.ndarray:
        """Return (n, C) float32: the values, centred, times the weights, plus the bias."""
        logits: np.ndarray = self.x @ place[:-1]
        logits += place[-1] - self.mean @ place[:-1]
        return logits

    def _back(self, change: np.ndarray, place: torch.Tensor, penalty: float) -> torch.Tensor:
        """Return (V + 1, C): centred values times changes of the logits, and the penalty."""
        change /= len(self.y)
        total = change.sum(axis=0)
        slopes = self.transposed @ change
        slopes -= np.outer(self.mean, total)
        found = torch.from_numpy(slopes).add_(place[:-1], alpha=penalty)
        return torch.cat([found, torch.from_numpy(total)[None]])

    def _probabilities(self, place: np.ndarray) -> tuple[np.ndarray, float]:
        """Return (n, C) float32 and the mean cross-entropy."""
        logits = self._logits(place)
        logits -= logits.max(axis=1, keepdims=True)
        own = logits[self.rows, self.y]
        np.exp(logits, out=logits)
        total = logits.sum(axis=1)
        logits /= total[:, None]
        return logits, float((np.log(total) - own).mean(dtype=np.float64))


class GramObjective:
    """The objective over few texts; arguments as for :class:`SparseObjective`."""

    def __init__(self, x: sparse.csr_matrix, y: np.ndarray, classes: int) -> None:
        self.transposed = x.T.tocsr()
        self.mean = np.asarray(x.mean(axis=0), np.float32).ravel()
        products = (x @ self.transposed).toarray().astype(np.float64)
        centre = products.mean(axis=0)
        products += centre.mean() - centre - centre[:, None]
        squares, axes = np.linalg.eigh(products)
        real = squares > 1e-7 * squares[-1]
        lengths = np.sqrt(squares[real])
        self.directions = axes[:, real] / lengths
        coordinates = torch.from_numpy(axes[:, real] * lengths)
        self.objective = Objective(coordinates, torch.from_numpy(y), classes)
        self.optimum: Optimum = self.objective.start()

    def begin(self, weights: np.ndarray, bias: np.ndarray) -> None:
        """Do nothing: from zero weights so few texts are solved as soon."""

    def minimize(self, c: float, tolerance: float = TOLERANCE) -> tuple[np.ndarray, np.ndarray]:
        """Return (V, C) weights and (C,) bias for one C, starting from the optimum before."""
        self.optimum = self.objective.minimize(c, self.optimum, tolerance, STEPS)
        shares = self.directions @ self.optimum.weights.numpy()
        weights = self.transposed @ shares.astype(np.float32)
        return weights, self.optimum.bias.float().numpy() - self.mean @ weights


def make_objective(
    x: sparse.csr_matrix, y: np.ndarray, classes: int
) -> SparseObjective | GramObjective:
    """Return the objective that is the faster one for so many texts."""
    if len(y) <= FEW and x.shape[1] > 0 and x.nnz:
        return GramObjective(x, y, classes)
    return SparseObjective(x, y, classes)
