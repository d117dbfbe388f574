"""Products of unit vectors: blocks of the matrix of all cosines, and what is kept of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FILTER_MARGIN = 0.01
"""Margin of the bfloat16 filter. Rounding two unit vectors changes their product by less (at
most 2 / 256 in theory, under 0.004 measured), so no pair is lost."""


@dataclass(frozen=True, eq=False)
class Block:
    """An (R, K) block of cosines, reduced to its maxima and to what reaches a threshold.

    Attributes:
        row_largest, column_largest: (R,) and (K,) float32 maxima.
        rows, columns: (P,) places of the entries of at least the threshold, within the block.
        values: (P,) float32 cosines of those entries.
    """

    row_largest: np.ndarray
    column_largest: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    values: np.ndarray


class Product:
    """Blocks of the (N, N) matrix of cosines, in float32."""

    margin = 0.0

    def __init__(self, vectors: np.ndarray) -> None:
        self.vectors = vectors
        self.count = len(vectors)

    def block(self, rows: slice, columns: slice, threshold: float) -> Block:
        """Return the cosines of some rows with some columns, reduced."""
        product = self.vectors[rows] @ self.vectors[columns].T
        _clear_self(product, rows, columns)
        return reduced(product, threshold)


def bfloat16_product(vectors: np.ndarray) -> Product:
    """Return the product in bfloat16, as a filter; several times as fast on CPUs with AMX."""
    # torch is slow to import; only large corpora on such processors need it here.
    import torch

    class Filter(Product):
        margin = FILTER_MARGIN

        def __init__(self) -> None:
            super().__init__(vectors)
            self.short = torch.from_numpy(vectors).to(torch.bfloat16)

        def block(self, rows: slice, columns: slice, threshold: float) -> Block:
            product = self.short[rows] @ self.short[columns].T
            if columns.start < rows.stop:
                return reduced(_cleared(product.float().numpy(), rows, columns), threshold)
            largest = product.amax(1).float().numpy()
            hit = np.flatnonzero(largest >= threshold)
            inside = product[torch.from_numpy(hit)].float().numpy()
            where, found = np.nonzero(inside >= threshold)
            across = product.amax(0).float().numpy()
            return Block(largest, across, hit[where], found, inside[where, found])

    return Filter()


def reduced(product: np.ndarray, threshold: float) -> Block:
    """Return a block of cosines by its maxima and its entries of at least the threshold."""
    largest = product.max(axis=1)
    hit = np.flatnonzero(largest >= threshold)
    inside = product[hit]
    where, columns = np.nonzero(inside >= threshold)
    values = inside[where, columns]
    return Block(largest, product.max(axis=0), hit[where], columns, values)


def closest_of(
    first: np.ndarray, second: np.ndarray, values: np.ndarray, max_pairs: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the closest of P pairs, at most ``max_pairs``, in their order.

    Args:
        first, second: (P,) rows of the pairs.
        values: (P,) float32 cosines.
    """
    if len(values) <= max_pairs:
        return first, second, values
    kept = np.sort(np.argpartition(-values, max_pairs)[:max_pairs])
    return first[kept], second[kept], values[kept]


def cosines(vectors: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return (P,) float32: the cosine of each pair of rows of (N, D) unit vectors."""
    out = np.empty(len(first), np.float32)
    for start in range(0, len(first), 1 << 15):
        part = slice(start, start + (1 << 15))
        out[part] = np.einsum("nd,nd->n", vectors[first[part]], vectors[second[part]])
    return out


def _clear_self(product: np.ndarray, rows: slice, columns: slice) -> None:
    """Set each vector's cosine with itself, which is on the diagonal, to -1."""
    low, high = max(rows.start, columns.start), min(rows.stop, columns.stop)
    if low < high:
        diagonal = np.arange(low, high)
        product[diagonal - rows.start, diagonal - columns.start] = -1.0


def _cleared(product: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
    _clear_self(product, rows, columns)
    return product
