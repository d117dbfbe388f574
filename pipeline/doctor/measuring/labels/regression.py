"""A ridge regression that never saw the text: all texts left out, one at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np


def left_out_scores(
    vectors: np.ndarray, ids: np.ndarray, penalties: Sequence[float] = (1.0,)
) -> Iterator[np.ndarray]:
    """Yield (n, C) float64 scores of each text by a ridge regression of all others.

    The residual of a text that is left out is its own over 1 minus its leverage (Allen, 1974:
    PRESS), so one decomposition does for all texts, and for all penalties.

    Args:
        vectors: (n, D), unequal; every feature is scaled to deviation 1.
        ids: (n,) class ids 0 to C - 1.
        penalties: in mean squares of a text.
    """
    moved = vectors.astype(np.float64) - vectors.mean(axis=0)
    scaled = moved / np.maximum(moved.std(axis=0), 1e-6)
    square = max(float((scaled**2).sum()) / len(scaled), 1e-6)
    constant = np.full((len(scaled), 1), math.sqrt(square))
    left, sizes, _ = np.linalg.svd(np.hstack([scaled, constant]), full_matrices=False)
    targets = np.eye(int(ids.max()) + 1)[ids]
    along = left.T @ targets
    for penalty in penalties:
        kept = sizes**2 / (sizes**2 + penalty * square)
        fitted, leverage = left @ (kept[:, None] * along), (left**2) @ kept
        yield targets - (targets - fitted) / (1 - leverage)[:, None]
