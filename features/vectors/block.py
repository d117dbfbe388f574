"""Block: the vectors of some texts in one layout, as an encoder returns them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Block:
    """The vectors of n texts in order, as an encoder returns them and a shard stores them.

    Attributes:
        tokens: (n,) int32, tokens of each text before truncation.
        lengths: (n,) int32, number of vectors of each text.
        values: (sum of lengths, D) of ``precision.encoder_dtype``: the stored type, or
            float32 for int8.
    """

    tokens: np.ndarray
    lengths: np.ndarray
    values: np.ndarray

    def take(self, rows: np.ndarray) -> Block:
        """Return a block of the texts at ``rows``, in that order."""
        starts = np.cumsum(self.lengths) - self.lengths
        lengths = self.lengths[rows]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        picked = np.repeat(starts[rows], lengths) + within
        return Block(self.tokens[rows], lengths, self.values[picked])

    @classmethod
    def joined(cls, blocks: Sequence[Block]) -> Block:
        """Join one or more blocks in the order given."""
        parts = zip(*((b.tokens, b.lengths, b.values) for b in blocks), strict=True)
        return cls(*(np.concatenate(same) for same in parts))
