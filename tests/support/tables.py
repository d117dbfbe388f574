"""Small tables with known contents, and problems that a head must be able to learn."""

from __future__ import annotations

import numpy as np

from features.vectors.table import POOLED, TOKENS, FeatureTable
from heads.problem import Problem

WIDTH = 6
CLASSES = 3


def make_table(
    lengths: list[int] | np.ndarray, width: int = WIDTH, seed: int = 0, dtype: str = "float16"
) -> FeatureTable:
    """Random vectors of texts of these lengths, read-only like those of the store."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    values = np.random.default_rng(seed).normal(size=(offsets[-1], width)).astype(dtype)
    values.flags.writeable = False
    return FeatureTable(values, offsets, TOKENS)


def marker_problem(texts: int = 240, seed: int = 0) -> Problem:
    """Which of three features once shows a high value, anywhere in the text, is its class."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 12, size=texts)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    values = random.normal(size=(offsets[-1], WIDTH)) * 0.3
    labels = np.arange(texts, dtype=np.int64) % CLASSES
    values[offsets[:-1] + random.integers(0, lengths), labels] += 4.0
    table = FeatureTable(values.astype(np.float16), offsets, TOKENS)
    return split(table, labels)


def cluster_problem(
    texts: int = 240, width: int = WIDTH, classes: int = CLASSES, spread: float = 1.0
) -> Problem:
    """One vector a text, around the center of its class."""
    random = np.random.default_rng(0)
    labels = np.arange(texts, dtype=np.int64) % classes
    centers = random.normal(size=(classes, width)) * 2.0
    values = centers[labels] + random.normal(size=(texts, width)) * spread
    table = FeatureTable(values.astype(np.float32), np.arange(texts + 1), POOLED)
    return split(table, labels)


def split(table: FeatureTable, labels: np.ndarray) -> Problem:
    """Three quarters to learn from, one quarter to choose by."""
    rows = np.random.default_rng(9).permutation(len(table))
    cut = len(rows) * 3 // 4
    return Problem(table, labels, rows[:cut], rows[cut:], int(labels.max()) + 1)
