"""FeatureTable: the vectors of a corpus, in corpus order, as flat arrays.

This is the whole contract between stage 1 and stage 2: ``heads`` sees this type and
nothing else of ``features`` but its errors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

POOLED = "pooled"
TOKENS = "tokens"
SENTENCES = "sentences"


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Vectors of N texts, flat, in corpus order.

    Attributes:
        values: (sum of lengths, D), float16 or float32; text ``i`` owns the rows
            ``offsets[i]:offsets[i + 1]``. Treated as immutable; may be a read-only view.
        offsets: (N + 1,) int64, rising from 0. In the pooled layout every text owns one row.
        layout: ``pooled`` (one vector a text, no time axis) or a sequence layout such as
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
            raise ValueError("offsets must rise to the number of rows, at least one a text")
        if self.layout == POOLED and len(self.values) != len(offsets) - 1:
            raise ValueError("a pooled table holds exactly one vector a text")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def width(self) -> int:
        """D, the number of features a vector."""
        return int(self.values.shape[1])

    @property
    def lengths(self) -> np.ndarray:
        """(N,) int64: how many vectors each text owns."""
        return np.diff(self.offsets)

    def sequence(self, row: int) -> np.ndarray:
        """(T, D) view of the vectors of text ``row``."""
        return self.values[self.offsets[row] : self.offsets[row + 1]]
