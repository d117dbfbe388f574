"""Nearest neighbours of pooled vectors, and all pairs above a similarity.

Up to ``MAX_EXACT`` vectors the search is exact. Beyond that, an inverted-file index (Jégou
et al., Product quantization for nearest neighbor search, PAMI 2011; here without the
quantization) searches the cells nearest to each vector, and its recall is measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import faiss
import numpy as np

from features.machine.hardware import cpu_bfloat16

MAX_EXACT = 200_000
"""Maximum number of vectors for an exact search."""

ROWS = 2048
"""Rows per block of similarities; with ``COLUMNS`` a block takes 32 MB in float32."""

COLUMNS = 4096
"""Columns per block of similarities."""

MIN_FILTERED = 20_000
"""Minimum number of vectors for a bfloat16 product as a filter, if it is faster here."""

FILTER_MARGIN = 0.01
"""Margin of the bfloat16 filter. Rounding two unit vectors changes their product by less (at
most 2 / 256 in theory, under 0.004 measured), so no pair is lost."""

NEIGHBORS = 17
PROBES = 24
RECALL_SAMPLE = 500


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
        ``MAX_EXACT`` rows the search is approximate.
    """
    index = _flat(base) if len(base) <= MAX_EXACT else _cells(base)
    similarity, rows = index.search(queries, min(k, len(base)))
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
        return _approximate_pairs(vectors, threshold)
    filtered = search.filtered
    if filtered is None:
        filtered = len(vectors) >= MIN_FILTERED and cpu_bfloat16()
    product = _bfloat16_product(vectors) if filtered else _Product(vectors)
    closest = np.full(len(vectors), -1.0, np.float32)
    parts = []
    limit = max_pairs * search.rows // max(1, len(vectors)) + search.rows
    for start in range(0, len(vectors), search.rows):
        rows = slice(start, min(start + search.rows, len(vectors)))
        parts.append(
            _closest(*_stripe(product, rows, search.columns, threshold, closest), limit)
        )
    first, second, _ = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    similarity = cosines(vectors, first, second)
    close = similarity >= threshold
    return ClosePairs(first[close], second[close], similarity[close], closest, 1.0)


def cosines(vectors: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return (P,) float32: the cosine of each pair of rows of (N, D) unit vectors."""
    out = np.empty(len(first), np.float32)
    for start in range(0, len(first), 1 << 15):
        part = slice(start, start + (1 << 15))
        out[part] = np.einsum("nd,nd->n", vectors[first[part]], vectors[second[part]])
    return out


class _Product:
    """Blocks of the (N, N) matrix of cosines, in float32."""

    margin = 0.0

    def __init__(self, vectors: np.ndarray) -> None:
        self.vectors = vectors
        self.count = len(vectors)

    def block(self, rows: slice, columns: slice, threshold: float) -> _Block:
        """Return the cosines of some rows with some columns, reduced."""
        product = self.vectors[rows] @ self.vectors[columns].T
        _clear_self(product, rows, columns)
        return _reduced(product, threshold)


@dataclass(frozen=True, eq=False)
class _Block:
    """A reduced block: its maxima per row and column, and the entries above the threshold."""

    row_largest: np.ndarray
    column_largest: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    values: np.ndarray


def _clear_self(product: np.ndarray, rows: slice, columns: slice) -> None:
    """Set each vector's cosine with itself, which is on the diagonal, to -1."""
    low, high = max(rows.start, columns.start), min(rows.stop, columns.stop)
    if low < high:
        diagonal = np.arange(low, high)
        product[diagonal - rows.start, diagonal - columns.start] = -1.0


def _reduced(product: np.ndarray, threshold: float) -> _Block:
    largest = product.max(axis=1)
    hit = np.flatnonzero(largest >= threshold)
    inside = product[hit]
    where, columns = np.nonzero(inside >= threshold)
    values = inside[where, columns]
    return _Block(largest, product.max(axis=0), hit[where], columns, values)


def _bfloat16_product(vectors: np.ndarray) -> _Product:
    """Return the product in bfloat16, as a filter; several times as fast on CPUs with AMX."""
    # torch is slow to import; only large corpora on such processors need it here.
    import torch

    class Filter(_Product):
        margin = FILTER_MARGIN

        def __init__(self) -> None:
            super().__init__(vectors)
            self.short = torch.from_numpy(vectors).to(torch.bfloat16)

        def block(self, rows: slice, columns: slice, threshold: float) -> _Block:
            product = self.short[rows] @ self.short[columns].T
            if columns.start < rows.stop:
                return _reduced(_cleared(product.float().numpy(), rows, columns), threshold)
            largest = product.amax(1).float().numpy()
            hit = np.flatnonzero(largest >= threshold)
            inside = product[torch.from_numpy(hit)].float().numpy()
            where, found = np.nonzero(inside >= threshold)
            across = product.amax(0).float().numpy()
            return _Block(largest, across, hit[where], found, inside[where, found])

    return Filter()


def _cleared(product: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
    _clear_self(product, rows, columns)
    return product


def _stripe(
    product: _Product, rows: slice, width: int, threshold: float, closest: np.ndarray
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


def _closest(
    first: np.ndarray, second: np.ndarray, values: np.ndarray, max_pairs: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the closest pairs, at most ``max_pairs``."""
    if len(values) <= max_pairs:
        return first, second, values
    closest = np.sort(np.argpartition(-values, max_pairs)[:max_pairs])
    return first[closest], second[closest], values[closest]


def _flat(base: np.ndarray) -> faiss.Index:
    index = faiss.IndexFlatIP(base.shape[1])
    index.add(base)
    return index


def _cells(base: np.ndarray) -> faiss.Index:
    """Return an inverted file over the vectors, about 4 sqrt(N) cells; seeded."""
    cells = int(4 * np.sqrt(len(base)))
    quantizer = faiss.IndexFlatIP(base.shape[1])
    index = faiss.IndexIVFFlat(quantizer, base.shape[1], cells, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.cp.seed = 10, 0
    index.cp.max_points_per_centroid = 40
    index.train(base)
    index.add(base)
    index.nprobe = PROBES
    return index


def _approximate_pairs(vectors: np.ndarray, threshold: float) -> ClosePairs:
    index = _cells(vectors)
    similarity, rows = index.search(vectors, NEIGHBORS)
    own = np.arange(len(vectors))[:, None]
    others = np.where((rows == own) | (rows < 0), np.float32(-1.0), similarity)
    sample = np.random.default_rng(0).permutation(len(vectors))[:RECALL_SAMPLE]
    exact, true_rows = _flat(vectors).search(vectors[sample], NEIGHBORS)
    wanted = (exact >= threshold) & (true_rows != sample[:, None])
    found = np.array([np.isin(t, r) for t, r in zip(true_rows, rows[sample], strict=True)])
    recall = float(found[wanted].mean()) if wanted.any() else 1.0
    source, column = np.nonzero(others >= threshold)
    target = rows[source, column]
    pairs = np.unique(np.sort(np.stack([source, target], axis=1), axis=1), axis=0)
    first, second = pairs[:, 0], pairs[:, 1]
    values = cosines(vectors, first, second)
    return ClosePairs(first, second, values, others.max(axis=1), recall)
