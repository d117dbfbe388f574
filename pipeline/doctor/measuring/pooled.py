"""One vector per text: those of the run, or the mean of each text's sequence."""

from __future__ import annotations

import numpy as np

from features.tables import Features, FeatureTables
from features.vectors.table import POOLED, FeatureTable
from pipeline.doctor.case import Case


def pooled_of(case: Case) -> np.ndarray | None:
    """Return (N, D) float32 pooled vectors; None of a run that reads words alone."""
    if case.pooled is not None:
        return np.asarray(case.pooled, dtype=np.float32)
    table = case.tables.vectors
    return None if table is None else means(table)


def means(table: FeatureTable) -> np.ndarray:
    """Return (N, D) float32: the mean vector of each text."""
    if table.layout == POOLED:
        return np.asarray(table.values, dtype=np.float32)
    sums = np.add.reduceat(table.values.astype(np.float32), table.offsets[:-1], axis=0)
    averages: np.ndarray = (sums / table.lengths[:, None]).astype(np.float32)
    return averages


def pooled_table(vectors: np.ndarray) -> FeatureTable:
    """Return a table of (N, D) pooled vectors."""
    return FeatureTable(vectors, np.arange(len(vectors) + 1, dtype=np.int64), POOLED)


def with_vectors(tables: FeatureTables, vectors: FeatureTable) -> FeatureTables:
    """Return tables with other vectors in the place of every encoder's, and the same words."""
    parts: list[Features] = [
        vectors if isinstance(each, FeatureTable) else each for each in tables.tables
    ]
    return FeatureTables(tuple(parts))


def centred(vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return (N, D) float32 unit vectors around the mean of some rows.

    Cosines of vectors as they come are near 1 for all pairs in many encoders.
    """
    moved = vectors - vectors[rows].mean(axis=0)
    lengths = np.linalg.norm(moved, axis=1, keepdims=True)
    scaled: np.ndarray = (moved / np.maximum(lengths, 1e-12)).astype(np.float32)
    return scaled
