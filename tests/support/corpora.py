"""Made-up corpora for the audit, with vectors known by construction."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from features.corpus.corpus import Corpus
from features.duplicates.duplicates import find_duplicates
from features.splits.split import official_sides
from pipeline.audit.finding import Evidence

WIDTH = 64

NOUNS = [
    "harbour",
    "violin",
    "tractor",
    "glacier",
    "lantern",
    "pepper",
    "compass",
    "orchard",
    "magnet",
    "saddle",
]
VERBS = [
    "repaired",
    "painted",
    "carried",
    "measured",
    "forgot",
    "borrowed",
    "followed",
    "watched",
    "buried",
    "sold",
]
PLACES = [
    "Lisbon",
    "Oslo",
    "Dakar",
    "Quito",
    "Perth",
    "Kyoto",
    "Malmo",
    "Tunis",
    "Hanoi",
    "Cusco",
]


def sentence(number: int) -> str:
    """A sentence of its own for every number, of about twenty words."""
    rng = np.random.default_rng(number)
    pick = [rng.permutation(part) for part in (NOUNS, VERBS, PLACES)]
    codes = ["".join(rng.choice(list("bdfgklmnprst"), 5)) for _ in range(4)]
    return (
        f"In {pick[2][0]} my cousin {codes[0]} {pick[1][0]} the {pick[0][0]} of {codes[1]}. "
        f"Later {codes[2]} {pick[1][1]} a {pick[0][1]} near {pick[2][1]} with {codes[3]}."
    )


def vector(text: str) -> np.ndarray:
    """(64,) float16: the sum of random vectors of the words, so that copies are close."""
    total = np.zeros(WIDTH)
    for word in text.lower().split():
        seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=4).digest(), "big")
        total += np.random.default_rng(seed).standard_normal(WIDTH)
    return (total / np.linalg.norm(total)).astype(np.float16)


def vectors(texts: Sequence[str]) -> np.ndarray:
    """(N, 64) float16."""
    return np.stack([vector(text) for text in texts])


def evidence(
    texts: Sequence[str],
    labels: Sequence[str],
    splits: Sequence[str] | None = None,
    made: np.ndarray | None = None,
    tokens: Sequence[int] | None = None,
) -> Evidence:
    """The evidence of a corpus in memory; the encoder sees 32 tokens."""
    corpus = Corpus(tuple(texts), tuple(labels), tuple(splits) if splits else None)
    pooled = vectors(texts) if made is None else made
    return Evidence(
        corpus=corpus,
        sides=None if splits is None else official_sides(splits, corpus.rows)[0],
        copies=find_duplicates(texts, pooled),
        vectors=pooled,
        tokens=np.array(tokens if tokens is not None else [9] * len(texts)),
        max_length=32,
    )


def rows_of(**counts: int) -> tuple[list[str], list[str]]:
    """Labels and distinct texts: ``rows_of(a=2, b=1)`` has two rows of a and one of b."""
    labels = [label for label, count in counts.items() for _ in range(count)]
    return labels, [f"text {i}" for i in range(len(labels))]
