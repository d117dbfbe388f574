"""M12: whether pooled vectors are sound: constant features, one direction, copies."""

from __future__ import annotations

import numpy as np

from pipeline.doctor.case import Case
from pipeline.doctor.measurements import Vectors
from pipeline.doctor.measuring.pooled import pooled_of

CONSTANT = 1e-4
"""Deviation below which a feature says nothing."""

PAIRS = 1000

MOST = 5000
"""Training texts that are looked at, evenly spaced."""


def measure_vectors(case: Case) -> Vectors | None:
    """Return what the pooled vectors of the training texts are like; None without vectors.

    A head that reads words alone has none, though its run has some to find copies by.
    """
    pooled = pooled_of(case)
    if pooled is None or case.tables.vectors is None:
        return None
    rows = spaced(case.train, MOST)
    keys = None if case.duplicates is None else case.duplicates.normalized[rows]
    return vectors_of(pooled[rows].astype(np.float64), keys, case.labels[rows])


def spaced(rows: np.ndarray, most: int) -> np.ndarray:
    """Return at most so many of some rows, evenly spaced."""
    if len(rows) <= most:
        return rows
    chosen: np.ndarray = rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]
    return chosen


def vectors_of(
    values: np.ndarray, keys: np.ndarray | None = None, labels: np.ndarray | None = None
) -> Vectors:
    """Return what (n, D) float64 vectors are like.

    Args:
        keys: (n,) ids, equal for equal texts; None: all texts differ.
        labels: (n,) class ids; None: not known.
    """
    deviations = values.std(axis=0)
    random = np.random.default_rng(0)
    first, second = random.integers(0, len(values), (2, PAIRS))
    apart = first != second
    unit = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    cosines = (unit[first[apart]] * unit[second[apart]]).sum(axis=1)
    median = float(np.median(deviations))
    return Vectors(
        width=values.shape[1],
        constant_share=float((deviations < CONSTANT).mean()),
        deviation_ratio=float(deviations.max() / max(median, 1e-9)),
        mean_cosine=float(cosines.mean()) if apart.any() else 1.0,
        effective_rank=_effective_rank(values),
        equal_share=_equal_share(values, keys),
        equal_unlike=0.0 if labels is None else _equal_share(values, labels),
        scaled_rank=_effective_rank(values / np.maximum(deviations, CONSTANT)),
    )


def _effective_rank(values: np.ndarray) -> float:
    """Return exp of the entropy of the eigenvalues' shares (Roy and Vetterli, 2007)."""
    variances = np.linalg.svd(values - values.mean(axis=0), compute_uv=False) ** 2
    total = variances.sum()
    if total <= 0:
        return 1.0
    shares = variances[variances > 0] / total
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _equal_share(values: np.ndarray, keys: np.ndarray | None) -> float:
    """Return the share of the texts whose vector a text with another key has too."""
    _, ids = np.unique(values, axis=0, return_inverse=True)
    ids = ids.reshape(-1)
    own = np.arange(len(values)) if keys is None else keys
    pairs = np.unique(np.stack([ids, own]), axis=1)
    texts = np.bincount(pairs[0], minlength=int(ids.max()) + 1)
    return float((texts[ids] > 1).mean())
