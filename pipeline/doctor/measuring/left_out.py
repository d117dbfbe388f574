"""What a linear classifier of all other texts says of each text, by one decomposition."""

from __future__ import annotations

import math

import numpy as np


def left_out_scores(vectors: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Return (n, C) float64 scores of each text by a ridge regression of all others.

    The residual of a text that is left out is its own over 1 minus its leverage (Allen, 1974:
    PRESS), so one decomposition does for all. The penalty is the mean square of a text.

    Args:
        vectors: (n, D), unequal; every feature is scaled to deviation 1.
        ids: (n,) class ids 0 to C - 1.
    """
    moved = vectors.astype(np.float64) - vectors.mean(axis=0)
    scaled = moved / np.maximum(moved.std(axis=0), 1e-6)
    penalty = max(float((scaled**2).sum()) / len(scaled), 1e-6)
    constant = np.full((len(scaled), 1), math.sqrt(penalty))
    left, sizes, _ = np.linalg.svd(np.hstack([scaled, constant]), full_matrices=False)
    kept = sizes**2 / (sizes**2 + penalty)
    targets = np.eye(int(ids.max()) + 1)[ids]
    fitted, leverage = left @ (kept[:, None] * (left.T @ targets)), (left**2) @ kept
    scores: np.ndarray = targets - (targets - fitted) / (1 - leverage)[:, None]
    return scores


def left_out_errors(vectors: np.ndarray, labels: np.ndarray) -> int:
    """Return how many texts a ridge regression of all others gives another class.

    Args:
        vectors: (n, D), unequal.
        labels: (n,) class ids.
    """
    _, ids = np.unique(labels, return_inverse=True)
    return int((left_out_scores(vectors, ids).argmax(axis=1) != ids).sum())
