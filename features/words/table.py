"""WordTable: the word and letter n-grams of many texts with their counts, in corpus order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

WORDS = "words"
"""The layout: it stands beside ``pooled`` and the others, but needs no encoder."""

WORD_BIT = np.uint32(1 << 31)
"""Set in the ids of n-grams of words, and not in those of letters."""


@dataclass(frozen=True, eq=False)
class WordTable:
    """The n-grams of N texts, each with the number of times that it stands in the text.

    Nothing in it is learned: the n-grams of a text depend on that text alone.

    Attributes:
        ids: (sum of lengths,) uint32 hashes of n-grams; rising and distinct within a text.
        counts: (sum of lengths,) uint16, 1 or more; 65,535 stands for that many or more.
        offsets: (N + 1,) int64, rising from 0. Text ``i`` has the entries
            ``offsets[i]:offsets[i + 1]``, which may be none.
    """

    ids: np.ndarray
    counts: np.ndarray
    offsets: np.ndarray

    layout = WORDS

    def __post_init__(self) -> None:
        if not len(self.ids) == len(self.counts) == self.offsets[-1]:
            raise ValueError("ids and counts must have one entry for each n-gram of a text")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def shape(self) -> tuple[int]:
        """(N,): a table is indexed by text, as a one-dimensional array is."""
        return (len(self),)

    def __getitem__(self, rows: Any) -> WordTable:
        """Return the table of some texts, in that order, indexed like an array."""
        entries, offsets = self.entries(rows)
        return WordTable(self.ids[entries], self.counts[entries], offsets)

    def entries(self, rows: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return where the entries of some texts stand.

        Args:
            rows: n texts, indexed like an array.

        Returns:
            (m,) int64 places in ``ids``, and (n + 1,) int64 offsets of the texts in them.
        """
        chosen = np.atleast_1d(np.arange(len(self))[rows])
        lengths = np.diff(self.offsets)[chosen]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        shifts = np.repeat(self.offsets[chosen] - offsets[:-1], lengths)
        return np.arange(offsets[-1]) + shifts, offsets

    @cached_property
    def vocabulary(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the distinct n-grams, and which of them each entry is.

        To look up each n-gram once takes less time than to look up each entry.

        Returns:
            (U,) uint32 ids, rising, and (sum of lengths,) int32 places among them.
        """
        from features.words.vocabulary import encode  # imports PyArrow

        return encode(self.ids)
