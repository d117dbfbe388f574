"""A fake encoder of real width that costs little: sums of random vectors of a text's words."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np

from benchmarks.growth.corpus import VOCABULARY, word
from features.encoders.description import model as description
from features.encoders.description.model import EncoderModel
from features.encoders.protocol import OnBatch
from features.vectors.block import Block
from features.vectors.spec import FeatureSpec

WIDTH = 384
COMMON, COMMON_WEIGHT = 200, 0.1
"""Words that most texts have, and how little they count: else all texts would be alike."""

MODEL = EncoderModel(
    name="made-up",
    folder=Path("made-up"),
    transformer=Path("made-up"),
    family="bert",
    width=WIDTH,
    depth=2,
    max_length=64,
    pooling="mean",
    pooled_width=WIDTH,
    normalize=False,
    prompt="",
    weights="0" * 64,
    tokenizer="0" * 64,
)


class WordEncoder:
    """The vector of a text is the sum of those of its words, which are random."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.values = rng.standard_normal((VOCABULARY, WIDTH), dtype=np.float32)
        self.values[:COMMON] *= COMMON_WEIGHT
        self.numbers = {word(number): number for number in range(VOCABULARY)}

    def encode(
        self, texts: Sequence[str], specs: Sequence[FeatureSpec], on_batch: OnBatch
    ) -> list[Block]:
        """Return one block per spec, of pooled vectors."""
        from scipy.sparse import csr_matrix

        words = [text.split(" ") for text in texts]
        tokens = np.array([len(each) for each in words], np.int32)
        numbers = [self.numbers.get(each, 0) for text in words for each in text]
        ends = np.concatenate([[0], np.cumsum(tokens)])
        shape = (len(texts), VOCABULARY)
        counts = csr_matrix((np.ones(len(numbers), np.float32), numbers, ends), shape=shape)
        vectors = counts @ self.values
        on_batch(len(texts), int(tokens.sum()))
        ones = np.ones(len(texts), np.int32)
        return [Block(tokens, ones, vectors.astype(spec.dtype)) for spec in specs]


def install() -> None:
    """Make every command of this process find and load the fake encoder, whatever its name."""
    description.find_model = lambda *args, **kwargs: MODEL
    fake = ModuleType("features.encoders.transformer")
    fake.load_encoder = lambda *args, **kwargs: WordEncoder()  # type: ignore[attr-defined]
    sys.modules[fake.__name__] = fake
