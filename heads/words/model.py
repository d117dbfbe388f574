"""WordModel: a trained logistic regression over the words of texts, as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from features.words.table import WordTable
from heads.words.tfidf import Tfidf

PREFIX = "words."
"""Begins the names of its arrays beside the weights of a head."""

NAMES = ("ids", "idf", "weights", "bias", "share")

AT_ONCE = 4096
"""Texts whose values stand in memory at once."""


@dataclass(frozen=True, eq=False)
class WordModel:
    """The part of a head that reads words.

    Attributes:
        ids, idf: (V,) uint32 and (V,) float32, see :class:`heads.words.tfidf.Tfidf`.
        weights: (V, C) float16.
        bias: (C,) float32.
        share: of the logits of the whole head, in (0, 1]; the vectors have the rest.
    """

    ids: np.ndarray
    idf: np.ndarray
    weights: np.ndarray
    bias: np.ndarray
    share: float = 1.0

    @property
    def parameters(self) -> int:
        """Number of learned weights."""
        return self.weights.size + self.bias.size

    def logits(self, table: WordTable, rows: np.ndarray) -> np.ndarray:
        """Return (n, C) float32 logits of some rows of a table."""
        tfidf, weights = Tfidf(self.ids, self.idf), self.weights.astype(np.float32)
        parts = [np.zeros((0, len(self.bias)), np.float32)]
        for start in range(0, len(rows), AT_ONCE):
            values = tfidf.transform(table, rows[start : start + AT_ONCE])
            parts.append(values @ weights + self.bias)
        return np.concatenate(parts)

    def contributions(self, table: WordTable, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Return what each known n-gram of a text adds to the logits.

        Returns:
            (m,) uint32 ids, and (m, C) float32 logits; with the bias they sum to ``logits``.
        """
        values = Tfidf(self.ids, self.idf).transform(table, np.array([row]))
        known = values.indices
        weights = self.weights[known].astype(np.float32)
        return self.ids[known], values.data[:, None] * weights

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays by name, for a file of weights."""
        return {PREFIX + name: np.atleast_1d(np.array(getattr(self, name))) for name in NAMES}


def split_state(
    arrays: Mapping[str, np.ndarray],
) -> tuple[dict[str, np.ndarray], WordModel | None]:
    """Return the weights of a head, and the model of words stored beside them, if any.

    Raises:
        ValueError: the arrays do not belong together.
    """
    state = {name: value for name, value in arrays.items() if not name.startswith(PREFIX)}
    if len(state) == len(arrays):
        return state, None
    try:
        ids, idf, weights, bias, share = (arrays[PREFIX + name] for name in NAMES)
    except KeyError as error:
        raise ValueError(f"it lacks {error}") from error
    if not len(ids) == len(idf) == len(weights) or weights.shape[1:] != bias.shape:
        raise ValueError(f"{len(ids)} n-grams, but weights of shape {weights.shape}")
    if not 0 < float(share[0]) <= 1:
        raise ValueError(f"words have a share of {float(share[0]):g} of the logits")
    return state, WordModel(ids, idf, weights, bias, float(share[0]))
