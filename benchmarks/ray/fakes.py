"""A fake encoder for clusters: vectors known by hand, and notes of what was encoded."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from features.encoders.protocol import OnBatch
from features.store.space import Space
from features.store.store import FeatureStore
from features.vectors.block import Block
from features.vectors.spec import FeatureSpec

WIDTH = 384
SPEC = FeatureSpec(
    weights="fake",
    tokenizer="fake",
    layout="pooled",
    layers=(1,),
    pooling="mean",
    normalize=False,
    prompt="",
    max_length=8,
    width=WIDTH,
    dtype="float16",
    precision="float32",
)


class FakeEncoder:
    """Takes a given time per text; the vector of a text repeats its length and last number.

    Args:
        seconds: per text.
        notes: folder in which each process notes the texts that it begins; None: nowhere.
    """

    def __init__(self, seconds: float, notes: Path | None) -> None:
        self.seconds, self.notes = seconds, notes

    def encode(
        self, texts: Sequence[str], specs: Sequence[FeatureSpec], on_batch: OnBatch
    ) -> list[Block]:
        """Return one block per spec."""
        if self.notes is not None:
            with (self.notes / str(os.getpid())).open("a", encoding="utf-8") as file:
                file.write("".join(f"{text.split()[-1]}\n" for text in texts))
        time.sleep(self.seconds * len(texts))
        return [vectors_of(texts) for _ in specs]


def vectors_of(texts: Sequence[str]) -> Block:
    """Return the vectors of texts that end with a number."""
    facts = np.array([[len(text), int(text.split()[-1]) % 2048] for text in texts], np.float16)
    ones = np.ones(len(texts), np.int32)
    return Block(ones, ones, np.tile(facts, (1, WIDTH // 2)))


def load_fake(seconds: float, notes: Path | None, device: str) -> FakeEncoder:
    """Return the encoder of a worker."""
    return FakeEncoder(seconds, notes)


def open_space(root: Path) -> Space:
    """Return the space that the fake encoder fills."""
    return FeatureStore(root).space(SPEC, "fake")
