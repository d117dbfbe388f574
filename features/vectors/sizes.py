"""Estimates, before encoding, of how many tokens a text has and how many bytes it will take."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from features.text.keys import KEY_BYTES
from features.vectors.spec import FeatureSpec
from features.vectors.table import POOLED, SENTENCES

SENTENCE_TOKENS = 20
"""Estimated tokens per sentence."""

ROW_BYTES = KEY_BYTES + 8
"""Stored bytes per text in addition to its vectors."""


def expected_tokens(text: str) -> int:
    """Estimate how many tokens a text has: one per 4 ASCII characters or per other character.

    >>> expected_tokens("twelve bytes"), expected_tokens("日本語")
    (5, 5)
    """
    other = 0 if text.isascii() else (len(text.encode("utf-8")) - len(text)) // 2
    return 2 + max(0, len(text) - other) // 4 + other


def stored_bytes(
    texts: Sequence[str], specs: Sequence[FeatureSpec], missing: np.ndarray
) -> np.ndarray:
    """Estimate how many bytes texts will take in the spaces from which they are missing.

    Args:
        texts: n texts.
        specs: the specs of the spaces.
        missing: (n, specs) bool, which texts are missing from which spaces.

    Returns:
        (n,) int64, bytes per text.
    """
    expected = np.array([_by_spec(text, specs) for text in texts], np.int64)
    total: np.ndarray = (expected.reshape(missing.shape) * missing).sum(axis=1)
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
