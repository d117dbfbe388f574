"""FeatureTable: the vectors of a corpus, in corpus order, as flat arrays.

This type is the contract between stage 1 and stage 2: ``heads`` uses it, the errors and the
message helpers of ``features``, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

POOLED = "pooled"
TOKENS = "tokens"
SENTENCES = "sentences"


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """The vectors of N texts in one flat array, in corpus order.

    Attributes:
        values: (sum of lengths, D), float16 or float32. The vectors of text ``i`` are the
            rows ``offsets[i]:offsets[i + 1]``. Must not be changed; may be a read-only view.
        offsets: (N + 1,) int64, rising from 0. In the pooled layout every text has one row.
        layout: ``pooled`` (one vector per text, no time axis) or a sequence layout such as
            ``tokens``.
    """

    values: np.ndarray
    offsets: np.ndarray
    layout: str

    def __post_init__(self) -> None:
        if self.values.ndim != 2:
            raise ValueError(f"values must be (rows, D), not of shape {self.values.shape}")
        offsets = self.offsets
        if offsets.ndim != 1 or len(offsets) == 0 or offsets[0] != 0:
            raise ValueError("offsets must be (N + 1,) and start at 0")
        if offsets[-1] != len(self.values) or np.any(np.diff(offsets) < 1):
            raise ValueError("offsets must rise to the number of rows, at least one per text")
        if self.layout == POOLED and len(self.values) != len(offsets) - 1:
            raise ValueError("a pooled table holds exactly one vector per text")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def shape(self) -> tuple[int]:
        """(N,): a table is indexed by text, as a one-dimensional array is."""
        return (len(self),)

    @property
    def width(self) -> int:
        """D, the number of features per vector."""
        return int(self.values.shape[1])

    @property
    def lengths(self) -> np.ndarray:
        """(N,) int64: number of vectors of each text."""
        return np.diff(self.offsets)

    def sequence(self, row: int) -> np.ndarray:
        """Return a (T, D) view of the vectors of text ``row``."""
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    def __getitem__(self, rows: Any) -> FeatureTable | np.ndarray:
        """Return some texts, indexed like an array, as scikit-learn does to make folds.

        Args:
            rows: an integer, for the (T, D) vectors of that text; or a slice, (n,) integers
                or (N,) bool, for a table of those texts in that order.

        Raises:
            IndexError: there is no such row, or there is a second index.
        """
        if isinstance(rows, tuple):  # scikit-learn's array[rows, ...]
            if len(rows) > 2 or (len(rows) == 2 and rows[1] is not Ellipsis):
                raise IndexError(
                    f"a FeatureTable is indexed by text alone, got {len(rows)} indices; take "
                    "columns of its values"
                )
            rows = rows[0]
        chosen = np.arange(len(self))[rows]
        if chosen.ndim == 0:
            return self.sequence(int(chosen))
        lengths = self.lengths[chosen]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        shifts = np.repeat(self.offsets[chosen] - offsets[:-1], lengths)
        values = self.values.take(np.arange(offsets[-1]) + shifts, axis=0)
        return FeatureTable(values, offsets, self.layout)
