"""Multinomial logistic regression over sparse values: the objective of ``logistic``.

Two ways to the same optimum. With many texts L-BFGS takes steps in the weights: a step costs a
product of the sparse matrix with (V, C) weights and one of its transpose with (n, C) residuals,
some 4 C operations for each value, and about 60 passes over the weights. The columns are
centred without being stored so, and scaled by the curvature of each. With few texts, whose
values are many times more, the texts' products with each other, (n, n), hold all there is to
know; in their principal coordinates the data are (n, n) and dense.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse

from heads.architectures.logistic import Objective, Optimum

FEW = 1500
"""Texts up to which the products of texts with each other are used."""

TOLERANCE = 1e-3
"""Maximum entry of the (preconditioned) gradient at the optimum. With 1e-4 no validation
accuracy was higher, in three times the steps."""

STEPS = 200
MEMORY = 10


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
        self.weights = np.zeros((x.shape[1], classes), np.float32)
        self.bias = np.zeros(classes, np.float32)

    def minimize(self, c: float, tolerance: float = TOLERANCE) -> tuple[np.ndarray, np.ndarray]:
        """Return (V, C) weights and (C,) bias for one C, starting from the optimum before."""
        penalty = np.float32(1.0 / (c * len(self.y)))
        probabilities, _ = self._probabilities(self.weights, self.bias)
        curvature = max(float((probabilities * (1 - probabilities)).mean()), 1e-12)
        scale = 1 / np.sqrt(np.float32(curvature) * self.moments + penalty)[:, None]
        bias_scale = np.float32(curvature**-0.5)
        start = np.concatenate([self.weights / scale, self.bias[None] / bias_scale])
        v = torch.from_numpy(start).requires_grad_()
        optimizer = torch.optim.LBFGS(
            [v],
            max_iter=STEPS,
            max_eval=2 * STEPS,
            tolerance_grad=tolerance,
            tolerance_change=0.0,
            history_size=MEMORY,
            line_search_fn="strong_wolfe",
        )

        def closure() -> torch.Tensor:
            values = v.detach().numpy()
            weights = scale * values[:-1]
            residuals, loss = self._probabilities(weights, bias_scale * values[-1])
            residuals[self.rows, self.y] -= 1
            residuals /= len(self.y)
            total = residuals.sum(axis=0)
            slopes = self.transposed @ residuals
            slopes -= np.outer(self.mean, total)
            slopes += penalty * weights
            slopes *= scale
            v.grad = torch.from_numpy(np.concatenate([slopes, bias_scale * total[None]]))
            square = float(np.vdot(weights, weights))
            return torch.tensor(loss + float(penalty) / 2 * square)

        optimizer.step(closure)  # type: ignore[no-untyped-call]
        values = v.detach().numpy()
        self.weights, self.bias = scale * values[:-1], bias_scale * values[-1]
        return self.weights, self.bias - self.mean @ self.weights

    def _probabilities(self, weights: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, float]:
        """Return (n, C) float32 and the mean cross-entropy."""
        logits = self.x @ weights
        logits += bias - self.mean @ weights
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
