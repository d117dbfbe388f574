"""The sentences layout: a text as the sequence of the pooled vectors of its sentences."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from features.encoders.segmentation import language_of, sentences
from features.text.keys import text_key
from features.vectors.block import Block
from features.vectors.spec import FeatureSpec
from features.vectors.table import POOLED

Pool = Callable[[Sequence[str], FeatureSpec], Block]
"""Distinct texts and a pooled spec -> one vector per text."""

Fit = Callable[[Sequence[str], str], list[list[str]]]
"""Sentences -> the parts of each sentence that fit the encoder."""

REMEMBERED = 50_000
"""Maximum number of sentences whose vectors are remembered and not encoded again."""


class SentenceEncoder:
    """Splits texts into sentences and encodes each distinct sentence once.

    It holds no reference to its encoder: with a reference cycle, the weights would be freed
    late.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, bytes], tuple[np.ndarray, int]] = OrderedDict()

    def encode(self, texts: Sequence[str], spec: FeatureSpec, pool: Pool, fit: Fit) -> Block:
        """Return the block of texts in the sentences layout.

        The tokens of a text are the sum over its parts.

        Args:
            pool: encodes texts that fit the encoder.
            fit: cuts each sentence into parts that fit the encoder with the prompt; usually
                one.
        """
        language = language_of(spec.segmentation)
        cut = [sentences(text, language) for text in texts]
        distinct = list(dict.fromkeys(sentence for text in cut for sentence in text))
        fitted = dict(zip(distinct, fit(distinct, spec.prompt), strict=True))
        rows = [[part for sentence in text for part in fitted[sentence]] for text in cut]
        vectors = self._vectors(list(dict.fromkeys(p for row in rows for p in row)), spec, pool)
        return Block(
            np.array([sum(vectors[part][1] for part in row) for row in rows], np.int32),
            np.array([len(row) for row in rows], np.int32),
            np.stack([vectors[part][0] for row in rows for part in row]),
        )

    def _vectors(
        self, parts: list[str], spec: FeatureSpec, pool: Pool
    ) -> dict[str, tuple[np.ndarray, int]]:
        """Return vector and number of tokens of each part; encode only those not known yet."""
        space = spec.fingerprint
        names = {part: (space, text_key(part)) for part in parts}
        missing = [part for part in parts if names[part] not in self._known]
        if missing:
            block = pool(missing, replace(spec, layout=POOLED, segmentation=""))
            for part, vector, tokens in zip(missing, block.values, block.tokens, strict=True):
                self._known[names[part]] = (vector.copy(), int(tokens))
        found = {part: self._known[names[part]] for part in parts}
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return found
