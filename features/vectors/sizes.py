"""Sizes: how many tokens and stored bytes to expect of a text, before it is encoded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from features.text import KEY_BYTES
from features.vectors.spec import FeatureSpec
from features.vectors.table import POOLED, SENTENCES

SENTENCE_TOKENS = 20
"""Tokens of a sentence, about."""

ROW_BYTES = KEY_BYTES + 8
"""Stored bytes of a text beside its vectors."""


def expected_tokens(text: str) -> int:
    """Return about how many tokens a text has: one per 4 ASCII letters, or per other letter.

    >>> expected_tokens("twelve bytes"), expected_tokens("日本語")
    (5, 5)
    """
    other = 0 if text.isascii() else (len(text.encode("utf-8")) - len(text)) // 2
    return 2 + max(0, len(text) - other) // 4 + other


def stored_bytes(
    texts: Sequence[str], specs: Sequence[FeatureSpec], lacks: np.ndarray
) -> np.ndarray:
    """Return how many bytes texts will take in the spaces that lack them.

    Args:
        texts: n texts.
        specs: those of the spaces.
        lacks: (n, specs) bool, which spaces lack each text.

    Returns:
        (n,) int64, bytes.
    """
    expected = np.array([_by_spec(text, specs) for text in texts], np.int64)
    total: np.ndarray = (expected.reshape(lacks.shape) * lacks).sum(axis=1)
    return total


def _by_spec(text: str, specs: Sequence[FeatureSpec]) -> list[int]:
    tokens = expected_tokens(text)
    return [ROW_BYTES + spec.bytes_per_vector * _vectors(spec, tokens) for spec in specs]


def _vectors(spec: FeatureSpec, tokens: int) -> int:
    if spec.layout == POOLED:
        return 1
    if spec.layout == SENTENCES:
        return 1 + tokens // SENTENCE_TOKENS
    return min(tokens, spec.limit)
