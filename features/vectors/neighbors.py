"""Nearest neighbours of pooled vectors, and all pairs above a similarity.

Up to ``MAX_EXACT`` vectors the search is exact. Beyond that only the cells nearest to each
vector are searched, and the recall is measured (``cells``).
"""

from __future__ import annotations

from dataclasses import dataclass

import faiss
import numpy as np

from features.machine.hardware import cpu_bfloat16
from features.vectors.cells import approximate_pairs, filled_cells, filling_products
from features.vectors.products import Product, bfloat16_product, closest_of, cosines

MAX_EXACT = 200_000
"""Maximum number of vectors for an exact search."""

ROWS = 2048
"""Rows per block of similarities; with ``COLUMNS`` a block takes 32 MB in float32."""

COLUMNS = 4096
"""Columns per block of similarities."""

MIN_FILTERED = 20_000
"""Minimum number of vectors for a bfloat16 product as a filter, if it is faster here."""


@dataclass(frozen=True)
class PairSearch:
    """How pairs are searched; the pairs of an exact search do not depend on it.

    Attributes:
        rows, columns: size of a block of similarities.
        max_exact: maximum number of vectors for an exact search.
        filtered: whether a bfloat16 product is used as a filter; None: if there are many
            vectors and it is faster on this machine.
    """

    rows: int = ROWS
    columns: int = COLUMNS
    max_exact: int = MAX_EXACT
    filtered: bool | None = None


@dataclass(frozen=True, eq=False)
class ClosePairs:
    """Pairs of vectors with a cosine of at least a threshold.

    Attributes:
        first, second: (P,) int64 rows, ``first < second``.
        similarity: (P,) float32 cosines.
        nearest: (N,) float32 cosine of each vector to the nearest other one; -1 if N is 1.
        recall: share of the pairs that were found: 1.0 for an exact search, otherwise
            measured on a sample.
    """

    first: np.ndarray
    second: np.ndarray
    similarity: np.ndarray
    nearest: np.ndarray
    recall: float


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return (N, D) float32, C-contiguous: the vectors scaled to Euclidean length 1."""
    scaled = np.array(vectors, dtype=np.float32, order="C")
    scaled /= np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), 1e-12)
    return scaled


def nearest(queries: np.ndarray, base: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the ``k`` vectors of ``base`` nearest to each query by cosine, nearest first.

    Args:
        queries: (Q, D) unit vectors, float32.
        base: (N, D) unit vectors, float32, N at least 1.
        k: number of neighbours per query, at most N.

    Returns:
        (Q, k) float32 cosines and (Q, k) int64 rows of ``base``. With more than
        ``MAX_EXACT`` rows, and queries for which making cells pays, the search is approximate.
    """
    most = min(k, len(base))
    similarity: np.ndarray
    rows: np.ndarray
    if len(base) <= MAX_EXACT or len(queries) * len(base) <= filling_products(len(base)):
        similarity, rows = faiss.knn(queries, base, most, metric=faiss.METRIC_INNER_PRODUCT)
    else:
        similarity, rows = filled_cells(base).search(queries, most)
    return similarity, rows


def close_pairs(
    vectors: np.ndarray, threshold: float, max_pairs: int, search: PairSearch = PairSearch()
) -> ClosePairs:
    """Return all pairs of unit vectors with a cosine of at least ``threshold``.

    Args:
        vectors: (N, D) unit vectors, float32.
        threshold: minimum cosine of a pair.
        max_pairs: maximum number of pairs, about; each block of rows gives its closest ones.
        search: block sizes and the like.
    """
    if len(vectors) > search.max_exact:
        first, second, closest, recall = approximate_pairs(vectors, threshold, max_pairs)
        similarity = cosines(vectors, first, second)
        return ClosePairs(first, second, similarity, closest, recall)
    filtered = search.filtered
    if filtered is None:
        filtered = len(vectors) >= MIN_FILTERED and cpu_bfloat16()
    product = bfloat16_product(vectors) if filtered else Product(vectors)
    closest = np.full(len(vectors), -1.0, np.float32)
    parts = []
    limit = max_pairs * search.rows // max(1, len(vectors)) + search.rows
    for start in range(0, len(vectors), search.rows):
        rows = slice(start, min(start + search.rows, len(vectors)))
        parts.append(
            closest_of(*_stripe(product, rows, search.columns, threshold, closest), limit)
        )
    first, second, _ = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    similarity = cosines(vectors, first, second)
    close = similarity >= threshold
    return ClosePairs(first[close], second[close], similarity[close], closest, 1.0)


def _stripe(
    product: Product, rows: slice, width: int, threshold: float, closest: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pairs (first, second, cosine) of a stripe of rows with all later rows.

    Updates ``closest`` for both rows of a pair, so every pair is computed only once.

    Args:
        width: columns per block.
    """
    parts = []
    for column in range(rows.start, product.count, width):
        columns = slice(column, min(column + width, product.count))
        block = product.block(rows, columns, threshold - product.margin)
        np.maximum(closest[rows], block.row_largest, out=closest[rows])
        np.maximum(closest[columns], block.column_largest, out=closest[columns])
        first, second = block.rows + rows.start, block.columns + column
        later = second > first
        parts.append((first[later], second[later], block.values[later]))
    first, second, values = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return first.astype(np.int64), second.astype(np.int64), values
