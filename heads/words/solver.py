"""Multinomial logistic regression over sparse values: the objective of ``logistic``.

    mean cross-entropy((x - mean) W + b, y) + ||W||^2 / (2 n C)        (b is not penalised)

Newton's method minimises it, from one C to the next, as that over vectors. A product with the
Hessian is one of the sparse matrix with (V, C) weights and one of its transpose with (n, C)
residuals, each as the weighted sums of rows that torch makes for embeddings: 2 to 5 times as
fast as scipy's products. The columns are centred without being stored so. Conjugate gradients
see the diagonal of the Hessian alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from heads.newton import Point, minimize

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

TOLERANCE = 1e-3
"""Maximum entry of the (preconditioned) gradient at the optimum. With 1e-4 no validation
accuracy was higher."""

MAX_PRODUCTS = 1000
"""Maximum products with the Hessian for one C."""

ROUNDING = 1e-6
"""Relative rounding error of the loss, as logits are float32."""

SMALLEST = 1e-12
"""Smallest curvature; where all probabilities are near 0 or 1 it would vanish."""


class SparseObjective:
    """The objective for one set of texts. The unknowns are one tensor (V + 1, C) float32: the
    weights, then the bias.

    Args:
        x: (n, V) float32.
        y: (n,) int64 in 0..classes-1.
        classes: C.
    """

    def __init__(self, x: csr_matrix, y: np.ndarray, classes: int) -> None:
        mean = np.asarray(x.mean(axis=0), np.float64).ravel()
        squares = np.asarray(x.multiply(x).mean(axis=0), np.float64).ravel()
        moments = np.maximum(squares - mean**2, 0).astype(np.float32)
        self.x, self.transposed = _Rows(x), _Rows(x.T.tocsr())
        self.mean = torch.from_numpy(mean.astype(np.float32))
        self.moments = torch.from_numpy(moments)[:, None]
        self.y, self.rows = torch.from_numpy(y), torch.arange(len(y))
        self.place = torch.zeros(x.shape[1] + 1, classes)

    def start_at(self, weights: np.ndarray, bias: np.ndarray) -> None:
        """Begin at (V, C) weights and a (C,) bias near the optimum."""
        near = torch.from_numpy(weights.astype(np.float32))
        centred = torch.from_numpy(bias.astype(np.float32)) + self.mean @ near
        self.place = torch.cat([near, centred[None]])

    def minimize(self, c: float, tolerance: float = TOLERANCE) -> tuple[np.ndarray, np.ndarray]:
        """Return (V, C) weights and (C,) bias for one C, starting from the optimum before."""
        penalty = 1.0 / (c * len(self.y))
        probabilities = self._logits(self.place).softmax(dim=1)
        curvature = max(float((probabilities * (1 - probabilities)).mean()), SMALLEST)
        squares = torch.cat([curvature * self.moments + penalty, torch.tensor([[curvature]])])

        def evaluate(place: torch.Tensor) -> Point:
            return self._evaluate(place, penalty, squares)

        self.place = minimize(evaluate, self.place, tolerance, MAX_PRODUCTS).place
        weights, bias = self.place[:-1], self.place[-1] - self.mean @ self.place[:-1]
        return weights.numpy(), bias.numpy()

    def _logits(self, place: torch.Tensor) -> torch.Tensor:
        """Return (n, C) float32: the centred values of the texts times (V + 1, C) weights."""
        logits = self.x @ place[:-1]
        logits += place[-1] - self.mean @ place[:-1]
        return logits

    def _slopes(
        self, residuals: torch.Tensor, place: torch.Tensor, penalty: float
    ) -> torch.Tensor:
        """Return (V + 1, C): the mean over texts of their values, and 1 for the bias, times
        residuals (n, C), which are changed; and the slopes of the penalty.
        """
        residuals /= len(self.y)
        total = residuals.sum(dim=0)
        slopes = self.transposed @ residuals
        slopes.addr_(self.mean, total, alpha=-1).add_(place[:-1], alpha=penalty)
        return torch.cat([slopes, total[None]])

    def _evaluate(self, place: torch.Tensor, penalty: float, squares: torch.Tensor) -> Point:
        """Return the objective at a place.

        Args:
            squares: (V + 1, 1) about the diagonal of the Hessian.
        """
        logits = self._logits(place)
        logits -= logits.amax(dim=1, keepdim=True)
        own = logits[self.rows, self.y]
        total = logits.exp_().sum(dim=1)
        probabilities = logits.div_(total[:, None])
        residuals = probabilities.clone()
        residuals[self.rows, self.y] -= 1
        gradient = self._slopes(residuals, place, penalty)
        loss = float((total.log() - own).double().mean())
        loss += penalty / 2 * float(place[:-1].square().sum())

        def product(direction: torch.Tensor) -> torch.Tensor:
            change = self._logits(direction)
            change *= probabilities
            change.addcmul_(probabilities, change.sum(dim=1, keepdim=True), value=-1)
            return self._slopes(change, direction, penalty)

        return Point(
            place,
            loss,
            ROUNDING * abs(loss),
            gradient,
            float((gradient * squares.rsqrt()).abs().max()),
            product,
            lambda direction: direction / squares,
        )


class _Rows:
    """The rows of a sparse matrix (n, m), to be multiplied with dense ones."""

    def __init__(self, matrix: csr_matrix) -> None:
        self.columns = torch.from_numpy(matrix.indices.astype(np.int32))
        self.starts = torch.from_numpy(matrix.indptr.astype(np.int32))
        self.values = torch.from_numpy(matrix.data)

    def __matmul__(self, dense: torch.Tensor) -> torch.Tensor:
        """Return (n, k) float32, the product with an (m, k) float32 matrix."""
        return torch.nn.functional.embedding_bag(
            self.columns,
            dense,
            self.starts,
            mode="sum",
            per_sample_weights=self.values,
            include_last_offset=True,
        )
