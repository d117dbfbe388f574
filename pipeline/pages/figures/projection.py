"""A map of texts: their vectors in two dimensions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FITTED = 10_000
"""Texts from which the two directions are found, at most; all are placed by them."""

WIDTH, ROUNDS = 12, 10
"""Directions of the search, and how often it is repeated: more change nothing that is seen."""

FLAT = 1e-9
"""Share of the variance below which the second direction is noise."""

GOLDEN = 0.6180339887498949

STEPS = 9999
"""Places are whole numbers from 0 to this."""


@dataclass(frozen=True, eq=False)
class Projection:
    """Where n texts stand on the map.

    Attributes:
        places: (n, 2) int64 from 0 to ``STEPS``; both axes have the same scale.
        share: of the variance that the two directions have, in [0, 1]; None by UMAP.
        flat: whether there is but one direction; heights then only spread the texts.
    """

    places: np.ndarray
    share: float | None
    flat: bool


def project(vectors: np.ndarray) -> Projection:
    """Return the principal components of (n, D) vectors, the same at every call.

    The search is by subspace iteration (Halko et al., SIAM Review, 2011).
    """
    random = np.random.default_rng(0)
    fitted = vectors
    if len(vectors) > FITTED:
        fitted = vectors[np.sort(random.choice(len(vectors), FITTED, replace=False))]
    centre = fitted.mean(axis=0, dtype=np.float64).astype(np.float32)
    fitted = fitted.astype(np.float32) - centre
    width = min(WIDTH, *fitted.shape)
    basis = random.standard_normal((fitted.shape[1], width)).astype(np.float32)
    for _ in range(ROUNDS):
        basis, _ = np.linalg.qr(fitted.T @ (fitted @ basis))
    small = (fitted @ basis).astype(np.float64)
    values, turns = np.linalg.eigh(small.T @ small)
    values, turns = values[::-1], turns[:, ::-1]
    total = float(np.square(fitted, dtype=np.float64).sum())
    spread = np.maximum(values, 0) / total if total > 0 else np.zeros(width)
    directions = basis @ turns[:, :2].astype(np.float32)
    directions *= np.sign(directions.sum(axis=0) + FLAT)  # the sign is free: make it one
    found = (vectors.astype(np.float32) - centre) @ directions
    flat = width < 2 or bool(spread[1] < FLAT)
    if flat:
        heights = np.modf(GOLDEN * np.arange(len(vectors)))[0] * np.ptp(found[:, 0]) / 2
        found = np.stack([found[:, 0], heights], axis=1)
    return Projection(placed(found), float(spread[:2].sum()), flat)


def placed(found: np.ndarray) -> np.ndarray:
    """Return (n, 2) places in the middle of the square, on one scale."""
    low, high = found.min(axis=0), found.max(axis=0)
    size = float((high - low).max()) or 1.0
    shares = (found - (low + high) / 2) / size + 0.5
    return np.asarray(np.rint(shares * STEPS), dtype=np.int64).clip(0, STEPS)
