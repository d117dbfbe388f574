"""Count the n-grams of texts: 1 to 2 words and 1 to 5 letters, hashed to 31 bits.

Letters are counted within words, with a blank before and after each word, so that beginnings
and ends are told apart. In languages without blanks a word is a stretch of text, and its
letter groups stand in for words. All texts of a part are one array of letters, and every
n-gram of it is hashed at once; hashes are the same on every machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from features.words.table import WORD_BIT, WordTable

LETTERS = 5
"""Letters of the longest n-gram of letters."""

PART = 1 << 16
"""Letters that are counted at once, about; some 200 bytes of memory for each, so that they stay
in the processor's cache.
"""

THREADS = min(4, os.cpu_count() or 1)
"""Parts that are counted side by side: NumPy lets other threads run meanwhile."""

BLANK = 32

FACTOR = np.uint64(0x9E3779B97F4A7C15)
"""Odd, and far from any pattern: 2^64 divided by the golden ratio."""

PAIR = np.uint64(0xD6E8FEB86659FD93)
"""Odd; the factor of the first of two words."""


def count_words(texts: Iterable[str], letters: int = PART) -> WordTable:
    """Return the n-grams of N texts, lower case, with their counts.

    Args:
        texts: each is read once.
        letters: counted at once, about; the counts do not depend on it.
    """
    parts = list(_parts(texts, letters))
    with ThreadPoolExecutor(THREADS) as pool:
        counted = [*(pool.map if len(parts) > 1 else map)(_count, parts)]
    ids, counts, lengths = ([part[i] for part in counted] for i in range(3))
    offsets = np.concatenate([[0], np.cumsum(np.concatenate([[], *lengths]))])
    return WordTable(
        np.concatenate([np.empty(0, np.uint32), *ids]),
        np.concatenate([np.empty(0, np.uint16), *counts]),
        offsets.astype(np.int64),
    )


def _parts(texts: Iterable[str], letters: int) -> Iterator[list[str]]:
    """Yield lists of texts of about so many letters, in lower case, with one blank around and
    between their words."""
    part: list[str] = []
    size = 0
    for text in texts:
        spaced = f" {' '.join(text.lower().split())} "
        part.append(spaced)
        size += len(spaced)
        if size >= letters:
            yield part
            part, size = [], 0
    if part:
        yield part


def _count(texts: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ids and counts of the n-grams of n texts, and (n,) how many each text has."""
    joined = "".join(texts)
    letters = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    text_of = np.repeat(np.arange(len(texts), dtype=np.uint64), [len(text) for text in texts])
    keys = np.concatenate([*letter_grams(letters, text_of), *word_grams(letters, text_of)])
    keys.sort()  # by text, then by id
    first = np.flatnonzero(np.diff(keys, prepend=~keys[:1]))
    counts = np.diff(first, append=len(keys))
    distinct = keys[first]
    lengths = np.bincount((distinct >> np.uint64(32)).astype(np.int64), minlength=len(texts))
    return (
        distinct.astype(np.uint32),
        np.minimum(counts, np.iinfo(np.uint16).max).astype(np.uint16),
        lengths,
    )


def letter_grams(letters: np.ndarray, text_of: np.ndarray) -> Iterator[np.ndarray]:
    """Yield keys of the n-grams of 1 to ``LETTERS`` letters that hold no blank inside.

    Args:
        letters: (n,) uint32 code points.
        text_of: (n,) uint64 number of the text of each, the upper half of a key.
    """
    blank = letters == BLANK
    values = _mixed(letters.astype(np.uint64))
    count = len(letters)
    hashes = np.zeros(count, np.uint64)
    inside = np.ones(count, bool)
    for size in range(1, LETTERS + 1):
        if count < size:
            return
        if size > 2:
            inside = inside[:-1] & ~blank[size - 2 : count - 1]
        elif size == 2:
            inside = inside[:-1]
        last = count - size + 1
        hashes = hashes[:last] * FACTOR + values[size - 1 :]
        # Two blanks in a row stand between texts alone.
        whole = inside & ~(blank[:last] & blank[size - 1 :]) if size < 3 else inside
        yield _keys(hashes[whole], text_of[:last][whole])


def word_grams(letters: np.ndarray, text_of: np.ndarray) -> Iterator[np.ndarray]:
    """Yield keys of the words of two letters or more, and of the pairs of them."""
    starts, sizes = words_in(letters)
    if len(starts) == 0:
        return
    first = np.cumsum(sizes) - sizes
    place = np.arange(sizes.sum()) - np.repeat(first, sizes)
    powers = np.concatenate([[FACTOR], np.full(sizes.max() - 1, FACTOR)]).cumprod()
    values = _mixed(letters[np.repeat(starts, sizes) + place].astype(np.uint64))
    words = np.add.reduceat(values * powers[place], first)
    texts = text_of[starts]
    yield _keys(words, texts) | np.uint64(WORD_BIT)
    beside = texts[1:] == texts[:-1]
    pairs = (_mixed(words[:-1]) * PAIR + words[1:])[beside]
    yield _keys(pairs, texts[1:][beside]) | np.uint64(WORD_BIT)


def words_in(letters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (n,) where the words of two letters or more begin, and (n,) their letters."""
    inside = _is_word(letters)
    edges = np.flatnonzero(np.diff(inside, prepend=False, append=False))
    starts, ends = edges[::2], edges[1::2]
    long = ends - starts > 1
    return starts[long], (ends - starts)[long]


def _is_word(letters: np.ndarray) -> np.ndarray:
    """Return (n,) bool: letters, digits and underscores, of any script."""
    known = np.unique(letters)
    inside: np.ndarray = np.array([_in_word(chr(letter)) for letter in known.tolist()], bool)
    return inside[np.searchsorted(known, letters)]


def _in_word(letter: str) -> bool:
    return letter.isalnum() or letter == "_"


def _keys(hashes: np.ndarray, text_of: np.ndarray) -> np.ndarray:
    """Return (n,) uint64: the text, then 31 bits of the hash."""
    return (text_of << np.uint64(32)) | (_mixed(hashes) >> np.uint64(33))


def _mixed(values: np.ndarray) -> np.ndarray:
    """Return uint64 in which every bit depends on all of the input (MurmurHash3, 64 bits)."""
    shift = np.uint64(33)
    values = (values ^ (values >> shift)) * np.uint64(0xFF51AFD7ED558CCD)
    values = (values ^ (values >> shift)) * np.uint64(0xC4CEB9FE1A85EC53)
    mixed: np.ndarray = values ^ (values >> shift)
    return mixed
