"""Duplicates and near-duplicates among the texts of a corpus.

    exact        identical texts
    normalized   the same letters and digits; case, punctuation and spacing may differ
    near         most rare character n-grams in common (a few words changed, sentences in
                 another order), or one text almost entirely contained in the other

Candidates for near-duplicates are pairs with close pooled vectors and pairs that share a rare
run of letters. Their n-grams alone decide, so two texts on one topic are no near-duplicates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from features.duplicates.shingles import UNSPACED, letters, overlaps, rarity, shared_runs, words
from features.groups import distinct_values, ids_of, linked
from features.machine.hardware import cpu_bfloat16
from features.storage.location import Location
from features.storage.results import Arrays, recall
from features.vectors.neighbors import close_pairs, unit
from features.vectors.products import cosines

MIN_COSINE = 0.75
"""Minimum cosine of the pooled vectors of a candidate pair."""

CANDIDATES = 40
"""Candidate pairs from close vectors, on average per text."""

MIN_JACCARD = 0.6
"""Minimum weighted Jaccard similarity of near-duplicates (docs/audit.md)."""

MIN_JACCARD_IF_FEW_CHANGES = 0.42
"""The same, for a pair in which at most ``MAX_CHANGED`` of the words differ."""

MAX_CHANGED = 0.25
"""Maximum share of the longer text's words that are not in the other text."""

MIN_CONTAINED = 0.93
"""Minimum share of the shorter text's n-grams, by weight, that the longer text contains."""

MIN_CONTAINED_JACCARD = 0.3
"""Minimum weighted Jaccard similarity of a text and the one that contains it."""

MIN_CONTAINED_LETTERS = 18
"""Minimum length of a contained text, in letters and digits."""

CODE = (
    "features.duplicates.duplicates",
    "features.vectors.neighbors",
    "features.vectors.cells",
    "features.vectors.products",
    "features.duplicates.shingles",
    "features.groups",
)
PACKAGES = ("numpy", "scipy", "faiss-cpu")
"""Packages whose versions may change which texts are near-duplicates."""


@dataclass(frozen=True, eq=False)
class Duplicates:
    """The duplicates and near-duplicates among N texts.

    Attributes:
        exact: (N,) int64 ids, equal for identical texts.
        normalized: (N,) int64 ids, equal for texts with the same letters and digits.
        first, second: (P,) int64 rows of the pairs of near-duplicates with different
            ``normalized`` ids. The first row of an id stands for all of its rows.
        similarity: (P,) float32 cosines.
        overlap: (P,) float32, weighted Jaccard similarity of the n-grams.
        nearest: (N,) float32 cosine to the nearest text with another ``normalized`` id.
        recall: share of the close pairs that the search found; 1.0 if it was exact.
    """

    exact: np.ndarray
    normalized: np.ndarray
    first: np.ndarray
    second: np.ndarray
    similarity: np.ndarray
    overlap: np.ndarray
    nearest: np.ndarray
    recall: float

    @cached_property
    def clusters(self) -> np.ndarray:
        """(N,) int64 ids, equal for texts linked by duplicates of any kind, also in a chain."""
        nodes = int(self.normalized.max(initial=-1)) + 1
        ends = self.normalized[self.first], self.normalized[self.second]
        clusters: np.ndarray = linked(nodes, *ends)[self.normalized]
        return clusters


def cached_duplicates(root: Location, texts: Sequence[str], vectors: np.ndarray) -> Duplicates:
    """Return ``find_duplicates(texts, vectors)``, read from the cache if it is stored there.

    Args:
        root: the cache.
        texts: N texts.
        vectors: (N, D) pooled vectors of any float dtype and length.
    """

    def compute() -> Arrays:
        found = find_duplicates(texts, vectors)
        names = [field.name for field in fields(Duplicates)]
        return {name: np.asarray(getattr(found, name)) for name in names}

    product = "bfloat16" if cpu_bfloat16() else "float32"
    stored: dict[str, Any] = dict(
        recall(root, (texts, vectors, product), CODE, PACKAGES, compute)
    )
    return Duplicates(**{**stored, "recall": float(stored["recall"])})


def find_duplicates(texts: Sequence[str], vectors: np.ndarray) -> Duplicates:
    """Find the duplicates and near-duplicates among texts.

    Args:
        texts: N texts.
        vectors: (N, D) pooled vectors of any float dtype and length.
    """
    exact = ids_of(texts)
    spaced = [words(text) for text in texts]
    same = ids_of(map(letters, spaced))
    _, rows = np.unique(same, return_index=True)
    distinct = [spaced[row] for row in rows.tolist()]
    scaled = unit(vectors[rows])
    close = close_pairs(scaled, MIN_COSINE, CANDIDATES * len(rows))
    first, second = _distinct_pairs(close.first, close.second, *shared_runs(distinct))
    overlap = overlaps(distinct, first, second, rarity(distinct))
    lengths = np.array([len(text.replace(" ", "")) for text in distinct], np.int64)
    contained = (
        (overlap.containment >= MIN_CONTAINED)
        & (overlap.jaccard >= MIN_CONTAINED_JACCARD)
        & (np.minimum(lengths[first], lengths[second]) >= MIN_CONTAINED_LETTERS)
    )
    near = (overlap.jaccard >= MIN_JACCARD) | contained
    unsure = np.flatnonzero(~near & (overlap.jaccard >= MIN_JACCARD_IF_FEW_CHANGES))
    near[unsure] = _changed(distinct, first[unsure], second[unsure]) <= MAX_CHANGED
    first, second = first[near], second[near]
    return Duplicates(
        exact=exact,
        normalized=same,
        first=rows[first],
        second=rows[second],
        similarity=cosines(scaled, first, second),
        overlap=overlap.jaccard[near],
        nearest=close.nearest[same],
        recall=close.recall,
    )


def _changed(spaced: Sequence[str], first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return (P,) float64: share of the longer text's words that the other text does not have.

    The order of the words does not matter. In scripts without spaces, such as Chinese, every
    character counts as a word.
    """
    bags = {row: Counter(_units(spaced[row])) for row in {*first.tolist(), *second.tolist()}}
    shares = []
    for one, other in zip(first.tolist(), second.tolist(), strict=True):
        longest = max(bags[one].total(), bags[other].total())
        shares.append(1 - (bags[one] & bags[other]).total() / longest)
    return np.array(shares, np.float64)


def _units(spaced: str) -> Sequence[str]:
    return spaced if spaced[0] >= UNSPACED else spaced.split(" ")


def _distinct_pairs(*rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct pairs of two lists (first, second, first, second), sorted."""
    one, other, more, others = rows
    # Rows are below 2**32.
    keys = distinct_values(np.concatenate([(one << 32) | other, (more << 32) | others]))
    return keys >> 32, keys & 0xFFFFFFFF


def leaked(duplicates: Duplicates, train: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return (len(rows),) bool: which rows have a copy of any level among the training rows.

    Args:
        duplicates: those of the whole corpus.
        train: (n,) int64 rows of the corpus that training learns from.
        rows: (m,) int64 rows of the corpus to check.

    Returns:
        (m,) bool, True for a row with a duplicate or near-duplicate in training.
    """
    groups = int(duplicates.normalized.max(initial=-1)) + 1
    learned = np.zeros(groups, bool)
    learned[duplicates.normalized[train]] = True
    one, other = (
        duplicates.normalized[duplicates.first],
        duplicates.normalized[duplicates.second],
    )
    near = learned.copy()
    near[one] |= learned[other]
    near[other] |= learned[one]
    hit: np.ndarray = near[duplicates.normalized[rows]]
    return hit
