"""TF-IDF: which n-grams count, learned from training texts, and their weights in a text.

    value = (1 + log count) (1 + log((1 + n) / (1 + texts that hold it)))

in the texts of n training texts, divided by the Euclidean length of the text's values: those of
words by their own length, and those of letters by theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from features.words.table import WORD_BIT, WordTable

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

MIN_TEXTS = 2
"""Training texts that must hold an n-gram; one that is in a single text generalises little."""

KNOWN = 0.15
"""Share of the n-grams of words that must stand in a second training text; below it they are
left out and letters count alone. Of 100 to 8,000 English texts it is 0.31 to 0.95, of Chinese
ones, which put no blanks between words, 0.01 to 0.08."""

FEW = 16
"""Where fewer than one in so many entries of a table are asked for, they are looked up without
its vocabulary."""

MAX_ENTRIES = 12_000_000
"""Values of all training texts together. Each costs 8 bytes, and C products in every step."""


@dataclass(frozen=True, eq=False)
class Tfidf:
    """The n-grams that count.

    Attributes:
        ids: (V,) uint32, rising.
        idf: (V,) float32, what a count is multiplied by.
    """

    ids: np.ndarray
    idf: np.ndarray

    def transform(self, table: WordTable, rows: np.ndarray) -> csr_matrix:
        """Return (n, V) float32 values of some rows of a table."""
        from scipy.sparse import csr_matrix  # slow to import; a head without words needs none

        entries, offsets = table.entries(rows)
        column = self._columns(table, entries)
        known = column >= 0
        column, entries = column[known], entries[known]
        row = np.repeat(np.arange(len(rows)), np.diff(offsets))[known]
        values = (1 + np.log(table.counts[entries].astype(np.float32))) * self.idf[column]
        kind = 2 * row + (self.ids[column] >= WORD_BIT)
        lengths = np.sqrt(np.bincount(kind, values.astype(float) ** 2, 2 * len(rows)))
        values = (values / lengths[kind]).astype(np.float32)
        starts = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(rows)))])
        shape = (len(rows), len(self.ids))
        return csr_matrix((values, column, starts), shape)

    def _columns(self, table: WordTable, entries: np.ndarray) -> np.ndarray:
        """Return (m,) int32: the columns of some entries of a table; -1: it does not count."""
        if len(entries) * FEW < len(table.ids):
            return self._columns_of(table.ids[entries])
        distinct, places = table.vocabulary
        columns: np.ndarray = self._columns_of(distinct)[places[entries]]
        return columns

    def _columns_of(self, ids: np.ndarray) -> np.ndarray:
        """Return (m,) int32: the columns of n-grams; -1: it does not count."""
        if not len(self.ids):
            return np.full(len(ids), -1, np.int32)
        column = np.searchsorted(self.ids, ids).astype(np.int32)
        np.minimum(column, len(self.ids) - 1, out=column)
        column[self.ids[column] != ids] = -1
        return column


def learn_tfidf(
    table: WordTable, rows: np.ndarray, labels: np.ndarray, max_entries: int = MAX_ENTRIES
) -> Tfidf:
    """Return the n-grams that count, from training texts alone.

    If they have more than ``max_entries`` values, words are taken before letters, and of each
    those n-grams that differ most between the classes.

    Args:
        table: words of N texts.
        rows: (n,) int64 training rows.
        labels: (n,) int64 their class ids.
    """
    ids, places = table.vocabulary
    entries, _ = table.entries(rows)
    texts = np.bincount(places[entries], minlength=len(ids))
    ids, texts = ids[texts > 0], texts[texts > 0]
    known = (ids >= WORD_BIT) & (texts >= MIN_TEXTS)
    if texts[known].sum() < KNOWN * texts[ids >= WORD_BIT].sum():
        ids, texts = ids[ids < WORD_BIT], texts[ids < WORD_BIT]
    if texts.max(initial=0) >= MIN_TEXTS:
        ids, texts = ids[texts >= MIN_TEXTS], texts[texts >= MIN_TEXTS]
    idf = (1 + np.log((1 + len(rows)) / (1 + texts))).astype(np.float32)
    tfidf = Tfidf(ids, idf)
    if texts.sum() <= max_entries:
        return tfidf
    differences = _differences(tfidf.transform(table, rows), labels)
    order = np.lexsort((-differences, ids < WORD_BIT))  # words first: they are a seventh of all
    chosen = np.sort(order[np.cumsum(texts[order]) <= max_entries])
    return Tfidf(ids[chosen], idf[chosen])


def _differences(x: csr_matrix, labels: np.ndarray) -> np.ndarray:
    """Return (V,) variance of the class means, as a share of the variance (analysis of
    variance)."""
    from scipy.sparse import csr_matrix

    sizes = np.bincount(labels)
    member = csr_matrix((np.ones(len(labels), np.float32), (labels, np.arange(len(labels)))))
    sums = (member @ x).tocsc()  # (C, V)
    squares = sums.multiply(sums).multiply(1 / np.maximum(sizes, 1)[:, None])
    between = np.asarray(squares.sum(axis=0)).ravel()
    mean = np.asarray(x.mean(axis=0)).ravel()
    total = np.asarray(x.multiply(x).sum(axis=0)).ravel() - len(labels) * mean**2
    shares: np.ndarray = (between - len(labels) * mean**2) / np.maximum(total, 1e-12)
    return shares
