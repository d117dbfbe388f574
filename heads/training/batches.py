"""FeatureTable -> padded batches with masks, bucketed by length.

Planning (which texts share a batch) is pure and seeded; gathering copies each vector once,
in its stored dtype, with one vectorised take.
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
    most_vectors: int = MAX_VECTORS,
    least: int = 0,
) -> list[np.ndarray]:
    """Return positions 0..n-1 cut into batches of texts of similar length, each exactly once.

    Args:
        lengths: (n,) vectors per text.
        batch_size: texts per batch; the last one may hold fewer.
        random: shuffles texts and batches; without it the order is by length alone.
        most_vectors: a batch whose padded size would exceed this is split further.
        least: vectors that even a shorter text takes in the head.

    Returns:
        int64 arrays of positions.
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
            order[start : start + batch_size], np.maximum(lengths, least), most_vectors
        )
    ]
    if random is not None:
        batches = [batches[i] for i in random.permutation(len(batches))]
    return batches


def _within_budget(rows: np.ndarray, lengths: np.ndarray, most: int) -> Iterator[np.ndarray]:
    size = max(1, most // int(lengths[rows].max()))
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def gather(table: FeatureTable, rows: np.ndarray, most: int = 0) -> Batch:
    """Return the vectors of ``rows`` of a table as one padded batch, in the order of ``rows``.

    Args:
        most: only the first so many vectors of each text are taken; 0: all.
    """
    starts = table.offsets[rows][:, None]
    lengths = seen_lengths(table, rows, most)[:, None]
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
    most: int = 0,
    least: int = 0,
) -> Iterator[tuple[np.ndarray, Batch]]:
    """Yield batches over ``rows`` of a table, each row once.

    Args:
        batch_size, random, least: as :func:`plan` takes them.
        most: only the first so many vectors of each text are taken; 0: all.

    Yields:
        (positions, batch): ``rows[positions]`` are the rows of the batch.
    """
    lengths = seen_lengths(table, rows, most)
    for positions in plan(lengths, batch_size, random, least=least):
        yield positions, gather(table, rows[positions], most)


def seen_lengths(table: FeatureTable, rows: np.ndarray, most: int = 0) -> np.ndarray:
    """Return (n,) int64: how many vectors of each of ``rows`` are taken: up to ``most``; 0:
    all."""
    lengths: np.ndarray = table.offsets[rows + 1] - table.offsets[rows]
    return np.minimum(lengths, most) if most else lengths
