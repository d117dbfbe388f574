"""Vectors of how texts are spelled, to look for near-duplicates before a text is encoded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from features.duplicates.shingles import MULTIPLIER, grams_of, rarity, words

WIDTH = 256
"""Width of the vectors; their cosines are those of the n-grams up to 1 / sqrt(WIDTH), about."""

SAMPLE = 200
"""Texts by which ``mostly_repeated`` judges."""

MIN_ALIKE = 0.55
"""Cosine of texts that may be near-duplicates: that of a Jaccard similarity of 0.4."""

REPEATED = 0.5
"""Minimum share of a sample with a text alike in it, for a corpus that is mostly repeated."""


def spelling_vectors(texts: Sequence[str]) -> np.ndarray:
    """Return (N, WIDTH) float32: the n-grams of each text, by rarity, hashed into few columns.

    Texts with a weighted Jaccard similarity of 0.6 have a cosine of 0.75, about; so
    ``find_duplicates`` takes these in place of the encoder's vectors. It finds fewer pairs.
    """
    spaced = [words(text) for text in texts]
    grams, ends = grams_of(spaced)
    hashes = grams.astype(np.uint64) * MULTIPLIER
    signs = np.where((hashes >> np.uint64(63)).astype(bool), -1, 1).astype(np.float32)
    values = np.sqrt(rarity(spaced)[grams]) * signs
    columns = (hashes >> np.uint64(40)) % np.uint64(WIDTH)
    dense = np.zeros((len(texts), WIDTH), np.float32)
    rows = np.repeat(np.arange(len(texts)), np.diff(ends))
    np.add.at(dense, (rows, columns.astype(np.int64)), values.astype(np.float32))
    return dense


def mostly_repeated(texts: Sequence[str]) -> bool:
    """Return whether many texts of a sample are spelled like another of it."""
    sample = texts[:: max(1, len(texts) // SAMPLE)][:SAMPLE]
    vectors = spelling_vectors(sample)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, 0)
    alike: bool = (cosines.max(axis=1) >= MIN_ALIKE).mean() >= REPEATED
    return alike
