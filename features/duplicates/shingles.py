"""Character n-grams of texts: what two texts share letter by letter, whatever they are about.

Texts are compared by their words alone: without case, punctuation and spacing. All n-grams
are hashed into ``BUCKETS`` and computed for many texts at once, in flat arrays.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.sparse import csr_matrix

from features.text import normalize_text

GRAM = 4
BUCKETS = 1 << 22
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)

SAMPLE = 20_000
"""Texts, evenly spread, that tell how frequent an n-gram is."""

CHUNK_CHARACTERS = 4_000_000
"""Characters handled at a time: bounds the memory."""

RUN, WINDOW, COMMON = 10, 6, 24
UNSPACED_RUN = 5
MARKS = 24
SHARED_MARKS = 0.15
UNSPACED = "\u2e80"

WORD_CHARACTERS = "#%&@"
OUTER_SPACE = re.compile(r"(?<!\d) | (?!\d)")
"""A space that does not stand between two digits."""


class _Punctuation(dict[int, str | None]):
    """Translation of characters: punctuation becomes a space. Filled as characters occur."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        gone = unicodedata.category(char)[0] in "PCZ" and char not in WORD_CHARACTERS
        self[code] = " " if gone else char
        return self[code] or char


PUNCTUATION = _Punctuation()


@dataclass(frozen=True, eq=False)
class Overlap:
    """How much each of P pairs of texts shares, rare n-grams weighing more.

    Attributes:
        jaccard: (P,) float32, weight of the shared n-grams over that of all of both texts.
        containment: (P,) float32, over that of the text with less weight.
    """

    jaccard: np.ndarray
    containment: np.ndarray


def words(text: str) -> str:
    """The words of a text, folded, joined by single spaces; punctuation counts as a space.

    A text of punctuation only is kept as it folds.
    """
    plain = normalize_text(text)
    return " ".join(plain.translate(PUNCTUATION).split()) or plain


def letters(spaced: str) -> str:
    """``words`` without their spaces, save those between digits: ``1 5`` is not ``15``."""
    return OUTER_SPACE.sub("", spaced)


def gram_matrix(spaced: Sequence[str]) -> csr_matrix:
    """(N, BUCKETS) float32 of ones: which n-grams each text has, one space put around it."""
    codes, starts = _codes([f" {text} " for text in spaced])
    hashes = _hashes(codes, GRAM)
    text_of = np.repeat(np.arange(len(spaced)), np.diff(starts))[: len(hashes)]
    inside = np.arange(len(hashes)) + GRAM <= starts[text_of + 1]
    keys = _distinct(
        (text_of[inside].astype(np.uint64) << np.uint64(22)) | (hashes[inside] >> np.uint64(42))
    )
    rows = (keys >> np.uint64(22)).astype(np.int64)
    columns = (keys & np.uint64(BUCKETS - 1)).astype(np.int32)
    ends = np.searchsorted(rows, np.arange(len(spaced) + 1))
    ones = np.ones(len(columns), np.float32)
    return csr_matrix((ones, columns, ends), shape=(len(spaced), BUCKETS))


def rarity(spaced: Sequence[str]) -> np.ndarray:
    """(BUCKETS,) float32 weights log(1 + N / n), n of N texts having the n-gram.

    What all texts share, a template or the words of a topic, so weighs little.
    """
    step = max(1, len(spaced) // SAMPLE)
    sample = spaced[::step]
    counts = np.zeros(BUCKETS, np.int32)
    for part in _chunks(sample):
        counts += np.bincount(
            gram_matrix([sample[i] for i in part]).indices, minlength=BUCKETS
        ).astype(np.int32)
    weights: np.ndarray = np.log1p(len(sample) / np.maximum(counts, 1)).astype(np.float32)
    return weights


def overlaps(
    spaced: Sequence[str], first: np.ndarray, second: np.ndarray, weights: np.ndarray
) -> Overlap:
    """What each pair of texts shares.

    Args:
        spaced: N texts as ``words`` gives them.
        first, second: (P,) int64 rows of the pairs.
        weights: (BUCKETS,) from ``rarity``.
    """
    lengths = np.array([len(text) for text in spaced], np.int64)
    jaccard = np.empty(len(first), np.float32)
    containment = np.empty(len(first), np.float32)
    for part in _slices(lengths[first] + lengths[second]):
        rows, places = np.unique(
            np.concatenate([first[part], second[part]]), return_inverse=True
        )
        grams = gram_matrix([spaced[i] for i in rows.tolist()])
        grams.data = np.sqrt(weights[grams.indices])
        total = np.asarray(grams.multiply(grams).sum(axis=1)).ravel()
        one, other = np.split(places.ravel(), 2)
        shared = np.asarray(grams[one].multiply(grams[other]).sum(axis=1)).ravel()
        jaccard[part] = shared / np.maximum(total[one] + total[other] - shared, 1e-9)
        containment[part] = shared / np.maximum(np.minimum(total[one], total[other]), 1e-9)
    return Overlap(jaccard, containment)


def shared_runs(spaced: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of texts that share a rare run of letters, wherever it stands in either.

    Each text is thinned to the smallest hash of every window of ``WINDOW`` runs, so that two
    texts with ``RUN + WINDOW - 1`` letters in common share one for certain (Schleimer et al.,
    Winnowing, SIGMOD 2003). Of these a text keeps its ``MARKS`` rarest; runs that more than
    ``COMMON`` texts have pair nobody, and two texts pair only with a fair share in common.

    Returns:
        (P,), (P,) int64 rows, the first one the smaller; each pair once.
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
    """(F,) int32 rows and (F,) uint64 hashes of the runs that stand for some texts."""
    codes, starts = _codes([spaced[i] for i in part])
    hashes = _hashes(codes, run)
    text_of = np.repeat(np.arange(len(part)), np.diff(starts))[: len(hashes)]
    # A run that leaves its text stands for nothing: it loses against every other.
    outside = np.arange(len(hashes)) + run > starts[text_of + 1]
    hashes[outside] = np.iinfo(np.uint64).max
    smallest = hashes.copy()
    for shift in range(1, WINDOW):
        np.minimum(smallest[:-shift], hashes[shift:], out=smallest[:-shift])
    chosen = np.zeros(len(hashes), bool)
    for shift in range(WINDOW):
        stop = len(hashes) - shift
        chosen[shift:] |= hashes[shift:] == smallest[:stop]
    chosen &= ~outside
    return (text_of[chosen] + part.start).astype(np.int32), hashes[chosen]


def _rarest(text_of: np.ndarray, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ``MARKS`` rarest runs of each text among those that ``COMMON`` texts or fewer share.

    Args:
        text_of, hashes: (F,) sorted by hash, then text.

    Returns:
        The same, of those that are left, in the same order.
    """
    fresh = np.ones(len(hashes), bool)
    fresh[1:] = (hashes[1:] != hashes[:-1]) | (text_of[1:] != text_of[:-1])
    text_of, hashes = text_of[fresh], hashes[fresh]
    counts = _run_lengths(hashes)
    usable = (counts > 1) & (counts <= COMMON)
    text_of, hashes, counts = text_of[usable], hashes[usable], counts[usable]
    # Ties go by the hash, so that two copies choose alike.
    order = np.lexsort((hashes, counts, text_of))
    begins = np.searchsorted(text_of[order], text_of[order], side="left")
    kept = np.sort(order[np.arange(len(order)) - begins < MARKS])
    return text_of[kept], hashes[kept]


def _run_lengths(ordered: np.ndarray) -> np.ndarray:
    """(F,) int64: how often each value of a sorted array occurs."""
    ends = np.flatnonzero(np.diff(ordered)) + 1
    lengths = np.diff(np.concatenate([[0], ends, [len(ordered)]]))
    return np.repeat(lengths, lengths)


def _paired(text_of: np.ndarray, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of texts that share ``SHARED_MARKS`` or more of their marks.

    Args:
        text_of, hashes: (F,) marks of the texts, sorted by hash, then text.
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
    marks = np.bincount(text_of, minlength=int(second.max(initial=0)) + 1)
    enough = shared >= SHARED_MARKS * np.minimum(marks[first], marks[second])
    return first[enough], second[enough]


def _distinct(keys: np.ndarray) -> np.ndarray:
    """The distinct values, sorted. np.unique hashes, which is slower on these keys."""
    ordered = np.sort(keys)
    fresh = np.ones(len(ordered), bool)
    fresh[1:] = ordered[1:] != ordered[:-1]
    return ordered[fresh]


def _codes(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """All code points in a row, (L,) uint32, and where each text begins, (N + 1,) int64."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    starts = np.concatenate([[0], np.cumsum([len(text) for text in texts], dtype=np.int64)])
    return codes, starts.astype(np.int64)


def _hashes(codes: np.ndarray, length: int) -> np.ndarray:
    """(L - length + 1,) uint64: a mixed hash of every run of ``length`` code points."""
    count = max(0, len(codes) - length + 1)
    hashes = np.zeros(count, np.uint64)
    for shift in range(length):
        hashes = hashes * np.uint64(1_000_003) + codes[shift : shift + count]
    hashes ^= hashes >> np.uint64(29)
    hashes *= MULTIPLIER
    hashes ^= hashes >> np.uint64(32)
    return hashes * MULTIPLIER


def _chunks(texts: Sequence[str]) -> Iterator[range]:
    """Ranges of texts of about ``CHUNK_CHARACTERS`` each."""
    for part in _slices(np.array([len(text) for text in texts], np.int64)):
        yield range(part.start, part.stop)


def _slices(sizes: np.ndarray) -> Iterator[slice]:
    """Slices over 0..N of about ``CHUNK_CHARACTERS`` in all each."""
    chunk = np.cumsum(sizes) // CHUNK_CHARACTERS
    cuts = [0, *(np.flatnonzero(np.diff(chunk)) + 1).tolist(), len(sizes)]
    for start, stop in pairwise(cuts):
        if stop > start:
            yield slice(start, stop)
