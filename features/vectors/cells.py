"""Close pairs among more vectors than all pairs can be computed of: cells, searched by cell.

An inverted file (Jégou et al., Product quantization for nearest neighbor search, PAMI 2011;
here without the quantization) gives each vector a cell and the cells nearest to it. A pair is
found if one of its vectors lies in a cell that the other searches.
"""

from __future__ import annotations

from collections.abc import Iterator

import faiss
import numpy as np

from features.vectors.products import closest_of, reduced

PROBES = 24
"""Cells that each vector searches."""

RECALL_SAMPLE = 500
"""Vectors of which all close ones are computed, to measure how many were found."""

ROWS, COLUMNS = 4096, 2048
"""Size of a block of similarities: 32 MB in float32."""

ROUNDS, PER_CELL = 10, 40
"""Rounds of k-means that place the cells, and vectors per cell that it learns from."""


def filling_products(count: int) -> int:
    """Return how many dot products :func:`filled_cells` computes for ``count`` vectors."""
    cells = _cell_count(count)
    return cells * (ROUNDS * PER_CELL * cells + count)


def filled_cells(base: np.ndarray) -> faiss.Index:
    """Return an inverted file that holds the vectors, to be searched by others."""
    index = _trained(base)
    index.nprobe = PROBES
    index.add(base)
    return index


def approximate_pairs(
    vectors: np.ndarray, threshold: float, max_pairs: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Return most pairs of unit vectors with a cosine of at least ``threshold``.

    A cell is multiplied with all vectors that search it at once: as many products as if each
    vector searched by itself, but the vectors of a cell are read once.

    Args:
        vectors: (N, D) unit vectors, float32.
        threshold: minimum cosine of a pair.
        max_pairs: maximum number of pairs, about; each block gives its closest ones.

    Returns:
        (P,) int64 rows ``first < second`` of the pairs, (N,) float32 the largest cosine that
        was seen of each vector, and the share of the pairs of a sample that were found.
    """
    count = len(vectors)
    searched = _searched(vectors)
    largest = np.full(count, -1.0, np.float32)
    keys = [np.empty(0, np.int64)]
    for members, visitors in _cells(searched):
        for rows in _blocks(visitors, ROWS):
            for columns in _blocks(members, COLUMNS):
                limit = max_pairs * len(columns) // count + len(rows)
                found = _close(vectors, rows, columns, threshold, largest)
                row, column, _ = closest_of(*found, limit)
                # Most pairs are found from both ends: the lower row counts then.
                both = (searched[column] == searched[row, :1]).any(axis=1)
                kept = (row < column) | ~both
                keys.append(_keys(row[kept], column[kept], count))
    known = np.sort(np.concatenate(keys))
    return known // count, known % count, largest, _recall(vectors, threshold, known)


def _trained(base: np.ndarray) -> faiss.IndexIVFFlat:
    """Return an empty inverted file for the vectors, with about 4 sqrt(N) cells; seeded."""
    cells = _cell_count(len(base))
    quantizer = faiss.IndexFlatIP(base.shape[1])
    index = faiss.IndexIVFFlat(quantizer, base.shape[1], cells, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.cp.seed = ROUNDS, 0
    index.cp.max_points_per_centroid = PER_CELL
    index.train(base)
    return index


def _cell_count(count: int) -> int:
    return int(4 * np.sqrt(count))


def _searched(vectors: np.ndarray) -> np.ndarray:
    """Return (N, P) int32: the cells that each vector searches, its own first."""
    index = _trained(vectors)
    searched = np.empty((len(vectors), min(PROBES, index.nlist)), np.int32)
    for part in _blocks(np.arange(len(vectors)), 1 << 15):
        searched[part] = index.quantizer.search(vectors[part], searched.shape[1])[1]
    return searched


def _cells(searched: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the rows in each cell and the rows that search it, both int64 and ascending."""
    own, flat = searched[:, 0], searched.ravel()
    count = int(flat.max()) + 1
    members = np.argsort(own, kind="stable")
    visitors = np.argsort(flat, kind="stable") // searched.shape[1]
    inside, outside = (np.bincount(each, minlength=count).cumsum() for each in (own, flat))
    start, seen = 0, 0
    for end, until in zip(inside.tolist(), outside.tolist(), strict=True):
        if end > start:
            yield members[start:end], visitors[seen:until]
        start, seen = end, until


def _blocks(rows: np.ndarray, size: int) -> list[np.ndarray]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _close(
    vectors: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    threshold: float,
    largest: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pairs (row, column, cosine) of a block; updates ``largest`` for both."""
    product = vectors[rows] @ vectors[columns].T
    place = np.minimum(np.searchsorted(rows, columns), len(rows) - 1)
    itself = np.flatnonzero(rows[place] == columns)
    product[place[itself], itself] = -1.0
    block = reduced(product, threshold)
    largest[rows] = np.maximum(largest[rows], block.row_largest)
    largest[columns] = np.maximum(largest[columns], block.column_largest)
    return rows[block.rows], columns[block.columns], block.values


def _recall(vectors: np.ndarray, threshold: float, known: np.ndarray) -> float:
    """Return the share of the close pairs of a sample that are known; 1.0 if there are none.

    Args:
        known: (P,) int64 keys ``first * N + second`` of the pairs, ascending.
    """
    count = len(vectors)
    sample = np.random.default_rng(0).permutation(count)[:RECALL_SAMPLE]
    keys = [np.empty(0, np.int64)]
    for rows in _blocks(np.arange(count), 1 << 15):
        one, other = np.nonzero(vectors[rows] @ vectors[sample].T >= threshold)
        first, second = rows[one], sample[other]
        apart = first != second
        keys.append(_keys(first[apart], second[apart], count))
    wanted = np.concatenate(keys)
    if not len(wanted) or not len(known):
        return float(len(wanted) == 0)
    place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return float((known[place] == wanted).mean())


def _keys(one: np.ndarray, other: np.ndarray, count: int) -> np.ndarray:
    """Return (P,) int64: a number for each pair of rows, the same for both orders."""
    keys: np.ndarray = np.minimum(one, other) * count + np.maximum(one, other)
    return keys
