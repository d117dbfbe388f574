"""Character n-grams of texts, to measure how much of their spelling two texts share.

Case, punctuation and spacing are normalized away first. The n-grams are hashed into
``BUCKETS`` and computed for many texts at once, in flat arrays.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from features.groups import distinct_values
from features.text.keys import normalize_text

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

GRAM = 4
"""Characters per n-gram."""

BUCKETS = 1 << 22
"""Hash buckets of n-grams; the shifts in ``gram_matrix`` depend on these 22 bits."""

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
"""Odd constant of the multiplicative hash: 2**64 divided by the golden ratio."""

SAMPLE = 20_000
"""Texts, evenly spaced in the corpus, from which the frequency of n-grams is estimated."""

CHUNK_CHARACTERS = 4_000_000
"""Maximum characters per pass, about; bounds the memory."""

RUN = 10
"""Letters per run, in scripts with spaces."""

UNSPACED_RUN = 5
"""Letters per run, in scripts without spaces."""

WINNOWED = 6
"""Neighbouring runs of which winnowing selects one."""

MAX_TEXTS_PER_RUN = 24
"""A run that more texts have is too common to pair them."""

MAX_RUNS_PER_TEXT = 24
"""Rare runs by which a text is compared."""

MIN_SHARED_RUNS = 0.15
"""Minimum share of the rare runs of either text that a pair has in common."""

UNSPACED = "\u2e80"
"""First character of the scripts without spaces (CJK radicals and later)."""

WORD_CHARACTERS = "#%&@"
"""Punctuation that is part of words."""

OUTER_SPACE = re.compile(r"(?<!\d) | (?!\d)")
"""A space that does not stand between two digits."""


class _Punctuation(dict[int, str | None]):
    """A translation table in which punctuation becomes a space; filled as characters occur."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        gone = unicodedata.category(char)[0] in "PCZ" and char not in WORD_CHARACTERS
        self[code] = " " if gone else char
        return self[code] or char


PUNCTUATION = _Punctuation()


@dataclass(frozen=True, eq=False)
class Overlap:
    """How many n-grams the texts of P pairs share, weighted by the rarity of the n-grams.

    Attributes:
        jaccard: (P,) float32, weight of the shared n-grams divided by that of all n-grams of
            both texts.
        containment: (P,) float32, weight of the shared n-grams divided by that of the text
            with less weight.
    """

    jaccard: np.ndarray
    containment: np.ndarray


def words(text: str) -> str:
    """Return the normalized words of a text, joined by single spaces, without punctuation.

    A text of punctuation only is returned normalized, with its punctuation.
    """
    plain = normalize_text(text)
    return " ".join(plain.translate(PUNCTUATION).split()) or plain


def letters(spaced: str) -> str:
    """Return ``words`` without spaces, except between digits: ``1 5`` is not ``15``."""
    return OUTER_SPACE.sub("", spaced)


def gram_matrix(spaced: Sequence[str]) -> csr_matrix:
    """Return a (N, BUCKETS) float32 matrix with 1 for every n-gram that a text has.

    The ends of a text count as spaces."""
    from scipy.sparse import csr_matrix  # slow to import; stored duplicates need none

    columns, ends = grams_of(spaced)
    ones = np.ones(len(columns), np.float32)
    return csr_matrix((ones, columns, ends), shape=(len(spaced), BUCKETS))


def grams_of(spaced: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the n-grams of N texts: (P,) int32 buckets, text by text, and (N + 1,) int64 ends.

    The n-grams of text i are those from the i-th to the next of the ends, sorted.
    """
    codes, starts = _codes([f" {text} " for text in spaced])
    hashes = _hashes(codes, GRAM)
    text_of = np.repeat(np.arange(len(spaced)), np.diff(starts))[: len(hashes)]
    inside = np.arange(len(hashes)) + GRAM <= starts[text_of + 1]
    texts = text_of[inside].astype(np.uint64) << np.uint64(22)
    keys = distinct_values(texts | (hashes[inside] >> np.uint64(42)), nearly_sorted=True)
    rows = (keys >> np.uint64(22)).astype(np.int64)
    columns = (keys & np.uint64(BUCKETS - 1)).astype(np.int32)
    return columns, np.searchsorted(rows, np.arange(len(spaced) + 1))


def rarity(spaced: Sequence[str]) -> np.ndarray:
    """Return (BUCKETS,) float32 weights log(1 + N / n), n of N texts having the n-gram.

    So n-grams that most texts have, such as those of a template, weigh little.
    """
    step = max(1, len(spaced) // SAMPLE)
    sample = spaced[::step]
    counts = np.zeros(BUCKETS, np.int32)
    for part in _chunks(sample):
        columns, _ = grams_of([sample[i] for i in part])
        distinct, texts = np.unique(columns, return_counts=True)
        counts[distinct] += texts.astype(np.int32)
    # Few texts have few of the n-grams: only for these are logarithms taken.
    weights = np.full(BUCKETS, np.log1p(len(sample)), np.float32)
    seen = np.flatnonzero(counts)
    weights[seen] = np.log1p(len(sample) / counts[seen])
    return weights


def overlaps(
    spaced: Sequence[str],
    first: np.ndarray,
    second: np.ndarray,
    weights: np.ndarray,
    chunk_characters: int = CHUNK_CHARACTERS,
) -> Overlap:
    """Return how much the texts of each pair overlap.

    Args:
        spaced: N texts as ``words`` gives them.
        first, second: (P,) int64 rows of the pairs.
        weights: (BUCKETS,) from ``rarity``.
        chunk_characters: compared at once, about; the result does not depend on it.
    """
    lengths = np.array([len(text) for text in spaced], np.int64)
    jaccard = np.empty(len(first), np.float32)
    containment = np.empty(len(first), np.float32)
    for part in _slices(lengths[first] + lengths[second], chunk_characters):
        rows, positions = np.unique(
            np.concatenate([first[part], second[part]]), return_inverse=True
        )
        grams = gram_matrix([spaced[i] for i in rows.tolist()])
        grams.data = np.sqrt(weights[grams.indices])
        total = np.asarray(grams.multiply(grams).sum(axis=1)).ravel()
        one, other = np.split(positions.ravel(), 2)
        shared = np.asarray(grams[one].multiply(grams[other]).sum(axis=1)).ravel()
        jaccard[part] = shared / np.maximum(total[one] + total[other] - shared, 1e-9)
        containment[part] = shared / np.maximum(np.minimum(total[one], total[other]), 1e-9)
    return Overlap(jaccard, containment)


def shared_runs(spaced: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of texts that share rare runs of letters, at any position.

    Of every ``WINNOWED`` neighbouring runs of a text, the one with the smallest hash is
    selected. So two texts with ``RUN + WINNOWED - 1`` letters in common share at least one
    selected run (Schleimer et al., Winnowing, SIGMOD 2003). Runs in more than
    ``MAX_TEXTS_PER_RUN`` texts are ignored, each text keeps its ``MAX_RUNS_PER_TEXT`` rarest
    runs, and a pair must share at least ``MIN_SHARED_RUNS`` of the runs of either text.

    Args:
        spaced: N texts as ``words`` gives them.

    Returns:
        (P,), (P,) int64 rows; the first is smaller than the second, and no pair repeats.
    """
    sample = "".join(spaced[:: max(1, len(spaced) // 1000)])
    dense = sum(letter >= UNSPACED for letter in sample) > 0.2 * len(sample)
    run = UNSPACED_RUN if dense else RUN
    parts = [_thinned(spaced, part, run) for part in _chunks(spaced)]
    text_of = np.concatenate([part[0] for part in parts])
    hashes = np.concatenate([part[1] for part in parts])
    order = np.lexsort((text_of, hashes))
    return _paired(*_rarest(text_of[order], hashes[order]))


def _thinned(spaced: Sequence[str], part: range, run: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (F,) int32 rows and (F,) uint64 hashes of the runs that winnowing selects."""
    codes, starts = _codes([spaced[i] for i in part])
    hashes = _hashes(codes, run)
    text_of = np.repeat(np.arange(len(part)), np.diff(starts))[: len(hashes)]
    # A run that crosses the end of its text is invalid: no minimum selects it.
    outside = np.arange(len(hashes)) + run > starts[text_of + 1]
    hashes[outside] = np.iinfo(np.uint64).max
    smallest = hashes.copy()
    for shift in range(1, WINNOWED):
        np.minimum(smallest[:-shift], hashes[shift:], out=smallest[:-shift])
    chosen = np.zeros(len(hashes), bool)
    for shift in range(WINNOWED):
        stop = len(hashes) - shift
        chosen[shift:] |= hashes[shift:] == smallest[:stop]
    chosen &= ~outside
    return (text_of[chosen] + part.start).astype(np.int32), hashes[chosen]


def _rarest(text_of: np.ndarray, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rarest runs of each text, those in one or in too many texts left out.

    Args:
        text_of, hashes: (F,) sorted by hash, then text.

    Returns:
        Texts and hashes of the remaining runs, in the same order.
    """
    fresh = np.ones(len(hashes), bool)
    fresh[1:] = (hashes[1:] != hashes[:-1]) | (text_of[1:] != text_of[:-1])
    text_of, hashes = text_of[fresh], hashes[fresh]
    counts = _run_lengths(hashes)
    usable = (counts > 1) & (counts <= MAX_TEXTS_PER_RUN)
    text_of, hashes, counts = text_of[usable], hashes[usable], counts[usable]
    # Ties are broken by the hash, so that two near-duplicates select the same runs.
    order = np.lexsort((hashes, counts, text_of))
    begins = np.searchsorted(text_of[order], text_of[order], side="left")
    rarest = np.sort(order[np.arange(len(order)) - begins < MAX_RUNS_PER_TEXT])
    return text_of[rarest], hashes[rarest]


def _run_lengths(ordered: np.ndarray) -> np.ndarray:
    """Return (F,) int64: how often each value of a sorted array occurs."""
    ends = np.flatnonzero(np.diff(ordered)) + 1
    lengths = np.diff(np.concatenate([[0], ends, [len(ordered)]]))
    return np.repeat(lengths, lengths)


def _paired(text_of: np.ndarray, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of texts that share at least ``MIN_SHARED_RUNS`` of their selected runs.

    Args:
        text_of, hashes: (F,) selected runs of the texts, sorted by hash, then text.
    """
    begins = np.flatnonzero(np.concatenate([[True], hashes[1:] != hashes[:-1]])[: len(hashes)])
    counts = np.diff(np.concatenate([begins, [len(hashes)]]))
    keys = [np.zeros(0, np.uint64)]
    for size in np.unique(counts[counts > 1]).tolist():
        members = text_of[begins[counts == size][:, None] + np.arange(size)].astype(np.uint64)
        one, other = np.triu_indices(size, 1)
        keys.append(((members[:, one] << np.uint64(32)) | members[:, other]).ravel())
    every = np.sort(np.concatenate(keys))
    shared = _run_lengths(every)
    fresh = np.concatenate([[True], every[1:] != every[:-1]])[: len(every)]
    pairs, shared = every[fresh], shared[fresh]
    first = (pairs >> np.uint64(32)).astype(np.int64)
    second = (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)
    runs = np.bincount(text_of, minlength=int(second.max(initial=0)) + 1)
    enough = shared >= MIN_SHARED_RUNS * np.minimum(runs[first], runs[second])
    return first[enough], second[enough]


def _codes(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the code points of all texts, (L,) uint32, and their offsets, (N + 1,) int64."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    starts = np.concatenate([[0], np.cumsum([len(text) for text in texts], dtype=np.int64)])
    return codes, starts.astype(np.int64)


def _hashes(codes: np.ndarray, length: int) -> np.ndarray:
    """Return (L - length + 1,) uint64: a mixed hash of every run of ``length`` code points."""
    count = max(0, len(codes) - length + 1)
    hashes = np.zeros(count, np.uint64)
    for shift in range(length):
        hashes = hashes * np.uint64(1_000_003) + codes[shift : shift + count]
    hashes ^= hashes >> np.uint64(29)
    hashes *= MULTIPLIER
    hashes ^= hashes >> np.uint64(32)
    return hashes * MULTIPLIER


def _chunks(texts: Sequence[str]) -> Iterator[range]:
    """Yield ranges of texts with about ``CHUNK_CHARACTERS`` in total."""
    for part in _slices(np.array([len(text) for text in texts], np.int64)):
        yield range(part.start, part.stop)


def _slices(sizes: np.ndarray, total: int = CHUNK_CHARACTERS) -> Iterator[slice]:
    """Yield slices over 0..N, each with sizes of about ``total`` together."""
    chunk = np.cumsum(sizes) // total
    cuts = [0, *(np.flatnonzero(np.diff(chunk)) + 1).tolist(), len(sizes)]
    for start, stop in pairwise(cuts):
        if stop > start:
            yield slice(start, stop)
