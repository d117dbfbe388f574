"""Copies: which texts of a corpus are the same, letter for letter or nearly so.

    exact    identical texts
    folded   the same letters and digits, whatever the case, punctuation and spacing
    near     most rare character n-grams in common (a few words changed, sentences in another
             order), or one text almost wholly inside the other (a half that was cut off)

Near copies are looked for where pooled vectors are close and where a rare run of letters is
shared, and are told from mere likeness of topic by their n-grams alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from features.duplicates.shingles import UNSPACED, letters, overlaps, rarity, shared_runs, words
from features.groups import ids_of
from features.hardware import cpu_bfloat16
from features.storage.location import Location
from features.storage.results import Arrays, recall
from features.vectors.neighbors import close_pairs, cosines, unit

CLOSE = 0.75
"""Cosine from which a pair of texts is looked at."""

CANDIDATES = 40
"""Close pairs looked at, for each text on average."""

SHARED = 0.6
"""Weighted Jaccard similarity from which two texts are near copies (docs/audit.md)."""

ALIKE, CHANGED = 0.42, 0.25
"""Below that, the least similarity, and the largest share of words that may be changed."""

CONTAINED, CONTAINED_SHARE, CONTAINED_LETTERS = 0.93, 0.3, 18
"""A part: so much of it is in the whole, it is so much of the whole, and so long."""

CODE = (
    "features.duplicates.duplicates",
    "features.vectors.neighbors",
    "features.duplicates.shingles",
    "features.groups",
)
PACKAGES = ("numpy", "scipy", "faiss-cpu")
"""What else decides which texts are copies."""


@dataclass(frozen=True, eq=False)
class Duplicates:
    """The copies among N texts.

    Attributes:
        exact: (N,) int64 ids; identical texts have equal ones.
        folded: (N,) int64 ids; equal for texts with the same letters and digits.
        first, second: (P,) int64 rows of near copies that are no folded copies; of several
            folded copies the first row stands for all.
        similarity: (P,) float32 cosines.
        overlap: (P,) float32, weighted share of n-grams in common.
        nearest: (N,) float32 cosine to the nearest text that is not a folded copy.
        recall: of the search among close vectors; 1.0 where it was exact.
    """

    exact: np.ndarray
    folded: np.ndarray
    first: np.ndarray
    second: np.ndarray
    similarity: np.ndarray
    overlap: np.ndarray
    nearest: np.ndarray
    recall: float

    @cached_property
    def clusters(self) -> np.ndarray:
        """(N,) int64: equal for texts joined by copies of any kind, directly or in a chain."""
        nodes = int(self.folded.max(initial=-1)) + 1
        ends = self.folded[self.first], self.folded[self.second]
        links = coo_matrix((np.ones(len(self.first), bool), ends), shape=(nodes, nodes))
        _, component = connected_components(links, directed=False)
        clusters: np.ndarray = component[self.folded].astype(np.int64)
        return clusters


def kept_copies(root: Location, texts: Sequence[str], vectors: np.ndarray) -> Duplicates:
    """Find the copies among texts, or read what a cache keeps of the same texts and vectors.

    Args:
        root: the cache.
        texts, vectors: as ``find_duplicates`` takes them.
    """

    def compute() -> Arrays:
        found = find_duplicates(texts, vectors)
        return {each.name: np.asarray(getattr(found, each.name)) for each in fields(Duplicates)}

    product = "bfloat16" if cpu_bfloat16() else "float32"
    kept: dict[str, Any] = dict(
        recall(root, (texts, vectors, product), CODE, PACKAGES, compute)
    )
    return Duplicates(**{**kept, "recall": float(kept["recall"])})


def find_duplicates(texts: Sequence[str], vectors: np.ndarray) -> Duplicates:
    """Find the copies among texts.

    Args:
        texts: N texts.
        vectors: (N, D) pooled vectors, any float dtype and length.
    """
    exact = ids_of(texts)
    spaced = [words(text) for text in texts]
    same = ids_of(map(letters, spaced))
    _, rows = np.unique(same, return_index=True)
    distinct = [spaced[row] for row in rows.tolist()]
    scaled = unit(vectors[rows])
    close = close_pairs(scaled, CLOSE, CANDIDATES * len(rows))
    first, second = _united(close.first, close.second, *shared_runs(distinct))
    overlap = overlaps(distinct, first, second, rarity(distinct))
    lengths = np.array([len(text.replace(" ", "")) for text in distinct], np.int64)
    part = (
        (overlap.containment >= CONTAINED)
        & (overlap.jaccard >= CONTAINED_SHARE)
        & (np.minimum(lengths[first], lengths[second]) >= CONTAINED_LETTERS)
    )
    kept = (overlap.jaccard >= SHARED) | part
    unsure = np.flatnonzero(~kept & (overlap.jaccard >= ALIKE))
    kept[unsure] = _changed(distinct, first[unsure], second[unsure]) <= CHANGED
    first, second = first[kept], second[kept]
    return Duplicates(
        exact=exact,
        folded=same,
        first=rows[first],
        second=rows[second],
        similarity=cosines(scaled, first, second),
        overlap=overlap.jaccard[kept],
        nearest=close.nearest[same],
        recall=close.recall,
    )


def _changed(spaced: Sequence[str], first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(P,) share of words, in any order, that the longer text of each pair has for itself.

    In scripts without spaces every character counts as a word.
    """
    bags = {row: Counter(_units(spaced[row])) for row in {*first.tolist(), *second.tolist()}}
    shares = []
    for one, other in zip(first.tolist(), second.tolist(), strict=True):
        longest = max(bags[one].total(), bags[other].total())
        shares.append(1 - (bags[one] & bags[other]).total() / longest)
    return np.array(shares, np.float64)


def _units(spaced: str) -> Sequence[str]:
    return spaced if spaced[0] >= UNSPACED else spaced.split(" ")


def _united(*rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each pair of two lists (first, second, first, second) once, in order."""
    one, other, more, others = rows
    keys = np.unique(
        np.concatenate([(one << 32) | other, (more << 32) | others])  # rows are below 2**32
    )
    return keys >> 32, keys & 0xFFFFFFFF


def leaked(copies: Duplicates, train: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(len(rows),) bool: which rows have a copy of any level among the training rows.

    Args:
        copies: of the whole corpus.
        train, rows: positions in the corpus.
    """
    groups = int(copies.folded.max(initial=-1)) + 1
    learned = np.zeros(groups, bool)
    learned[copies.folded[train]] = True
    one, other = copies.folded[copies.first], copies.folded[copies.second]
    near = learned.copy()
    near[one] |= learned[other]
    near[other] |= learned[one]
    hit: np.ndarray = near[copies.folded[rows]]
    return hit
