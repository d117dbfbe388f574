"""A counting encoder with answers known by hand. Imports no torch: fault tests fork it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from features.encoders.protocol import OnBatch
from features.vectors.block import Block
from features.vectors.precision import encoder_dtype
from features.vectors.spec import FeatureSpec
from features.vectors.table import POOLED

WIDTH = 4


def spec(layout: str = POOLED, **changes: object) -> FeatureSpec:
    """A spec for the counting encoder."""
    values: dict[str, object] = {
        "weights": "w",
        "tokenizer": "t",
        "layout": layout,
        "layers": (1,),
        "pooling": "mean",
        "normalize": False,
        "prompt": "",
        "max_length": 8,
        "width": WIDTH,
        "dtype": "float16",
        "precision": "float32",
    }
    return FeatureSpec(**{**values, **changes})  # type: ignore[arg-type]


def fake_vectors(text: str, layout: str, most: int) -> np.ndarray:
    """(T, 4): T is 1 when pooled, else the number of words up to ``most``.

    Row t holds the text's length, t + 1, its first letter's code, and 1.
    """
    count = 1 if layout == POOLED else min(most, len(text.split()))
    rows = [[len(text), t + 1, ord(text[0]) % 512, 1] for t in range(count)]
    return np.array(rows, dtype=np.float16)


class CountingEncoder:
    """Remembers every text it was given; vectors as ``fake_vectors`` says."""

    def __init__(self, bad: Sequence[str] = ()) -> None:
        self.seen: list[str] = []
        self.bad = set(bad)

    def encode(
        self, texts: Sequence[str], specs: Sequence[FeatureSpec], on_batch: OnBatch
    ) -> list[Block]:
        self.seen.extend(texts)
        on_batch(len(texts), sum(len(text.split()) for text in texts))
        return [self._block(texts, spec) for spec in specs]

    def _block(self, texts: Sequence[str], spec: FeatureSpec) -> Block:
        rows = [fake_vectors(text, spec.layout, spec.limit) for text in texts]
        for text, values in zip(texts, rows, strict=True):
            if text in self.bad:
                values[-1, 0] = np.nan
        return Block(
            np.array([len(text.split()) for text in texts], np.int32),
            np.array([len(values) for values in rows], np.int32),
            np.concatenate(rows).astype(encoder_dtype(spec.dtype)),
        )
