"""The vectors of some texts in one layout, as an encoder gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Block:
    """Vectors of n texts in order: what an encoder gives and a shard holds.

    Attributes:
        tokens: (n,) int32, tokens of each whole text, before truncation.
        lengths: (n,) int32, vectors of each text.
        values: (sum of lengths, D) of ``precision.encoder_dtype``: the stored type, or
            float32 for int8.
    """

    tokens: np.ndarray
    lengths: np.ndarray
    values: np.ndarray

    def take(self, rows: np.ndarray) -> Block:
        """The block of some rows only, in the order given."""
        starts = np.cumsum(self.lengths) - self.lengths
        lengths = self.lengths[rows]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        picked = np.repeat(starts[rows], lengths) + within
        return Block(self.tokens[rows], lengths, self.values[picked])

    @classmethod
    def joined(cls, blocks: Sequence[Block]) -> Block:
        """Return one block of several, at least one, in the order given."""
        parts = zip(*((b.tokens, b.lengths, b.values) for b in blocks), strict=True)
        return cls(*(np.concatenate(same) for same in parts))
