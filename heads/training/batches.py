"""Padded batches with masks from a FeatureTable, bucketed by length.

Planning (which texts share a batch) is pure and seeded. Gathering copies each vector once, in
its stored dtype, with one vectorised ``take``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from features.vectors.table import FeatureTable

# Texts are sorted by length within windows of this many batches: long enough that a batch
# holds hardly any padding, short enough that batches differ from epoch to epoch.
SHUFFLED_BATCHES = 32

# Padded vectors per batch may hold; bounds the memory that very long texts take.
MAX_VECTORS = 1 << 17


@dataclass(frozen=True, eq=False)
class Batch:
    """Padded vectors of B texts.

    Attributes:
        rows: (B,) int64 rows of the table.
        x: (B, T, D) in the table's dtype, zero where ``mask`` is False.
        mask: (B, T) bool, True at real positions, which come first.
    """

    rows: np.ndarray
    x: torch.Tensor
    mask: torch.Tensor


def plan(
    lengths: np.ndarray,
    batch_size: int,
    random: np.random.Generator | None = None,
    max_padded: int = MAX_VECTORS,
    min_vectors: int = 0,
) -> list[np.ndarray]:
    """Cut positions 0..n-1 into batches of texts of similar length.

    Args:
        lengths: (n,) vectors per text.
        batch_size: texts per batch; the last one may have fewer.
        random: shuffles texts and batches; None: order by length.
        max_padded: maximum padded vectors per batch; larger batches are split.
        min_vectors: number of vectors to which the head pads shorter texts.

    Returns:
        int64 arrays of positions; every position occurs once.
    """
    count = len(lengths)
    if random is None:
        order = np.argsort(lengths, kind="stable")
    else:
        order = random.permutation(count)
        window = np.arange(count) // (batch_size * SHUFFLED_BATCHES)
        order = order[np.lexsort((lengths[order], window))]
    batches = [
        part
        for start in range(0, count, batch_size)
        for part in _within_budget(
            order[start : start + batch_size], np.maximum(lengths, min_vectors), max_padded
        )
    ]
    if random is not None:
        batches = [batches[i] for i in random.permutation(len(batches))]
    return batches


def _within_budget(
    rows: np.ndarray, lengths: np.ndarray, max_padded: int
) -> Iterator[np.ndarray]:
    size = max(1, max_padded // int(lengths[rows].max()))
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def gather(table: FeatureTable, rows: np.ndarray, max_vectors: int = 0) -> Batch:
    """Return the vectors of some rows of a table as one padded batch.

    Args:
        table: vectors of N texts.
        rows: (B,) int64 rows, in the order of the batch.
        max_vectors: maximum number of vectors per text, the first ones; 0: all.
    """
    starts = table.offsets[rows][:, None]
    lengths = seen_lengths(table, rows, max_vectors)[:, None]
    steps = np.arange(int(lengths.max()))
    mask = steps < lengths
    # Past the end of a text the last vector is taken, so that no index leaves the table.
    index = starts + np.minimum(steps, lengths - 1)
    x = table.values.take(index, axis=0)
    x[~mask] = 0
    return Batch(rows, torch.from_numpy(x), torch.from_numpy(mask))


def batches(
    table: FeatureTable,
    rows: np.ndarray,
    batch_size: int,
    random: np.random.Generator | None = None,
    max_vectors: int = 0,
    min_vectors: int = 0,
) -> Iterator[tuple[np.ndarray, Batch]]:
    """Yield batches over ``rows`` of a table, each row once.

    Args:
        batch_size, random, min_vectors: as for :func:`plan`.
        max_vectors: maximum number of vectors per text, the first ones; 0: all.

    Yields:
        (positions, batch): ``rows[positions]`` are the rows of the batch.
    """
    lengths = seen_lengths(table, rows, max_vectors)
    for positions in plan(lengths, batch_size, random, min_vectors=min_vectors):
        yield positions, gather(table, rows[positions], max_vectors)


def seen_lengths(table: FeatureTable, rows: np.ndarray, max_vectors: int = 0) -> np.ndarray:
    """Return (n,) int64: vectors used of each row, at most ``max_vectors``; 0: all."""
    lengths: np.ndarray = table.offsets[rows + 1] - table.offsets[rows]
    return np.minimum(lengths, max_vectors) if max_vectors else lengths
