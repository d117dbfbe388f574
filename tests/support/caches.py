"""A small cache of a counting encoder: filled, opened, and asked for what it holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from features.encoding.plan import plan_encoding
from features.encoding.serial import encode
from features.store.space import Space
from features.store.store import FeatureStore
from features.text.keys import text_keys
from tests.support.encoders import CountingEncoder, fake_vectors, spec

UNIT_TEXTS = 8
"""Texts per shard."""

KEPT, GONE, LATER = ([f"{name} {i} word" for i in range(24)] for name in "abc")


def opened(root: Path) -> Space:
    return FeatureStore(root).space(spec("tokens"), "fake")


def fill(root: Path, texts: list[str]) -> None:
    space = opened(root)
    encode(
        plan_encoding(texts, [space]), texts, [space], CountingEncoder, unit_texts=UNIT_TEXTS
    )


def held(root: Path, texts: list[str]) -> int:
    """Count the texts that are cached, and check that their vectors are right."""
    space = opened(root)
    have = [text for text in texts if not space.missing(text_keys([text]))[0]]
    table = space.table(text_keys(have))
    for row, text in enumerate(have):
        assert np.array_equal(table.sequence(row), fake_vectors(text, "tokens", 8))
    return len(have)
