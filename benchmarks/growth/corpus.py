"""A made-up corpus of any size: classes, words by Zipf's law, and planted copies."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

VOCABULARY, CLASSES, CLASS_WORDS = 20_000, 10, 200

_FREQUENCIES = 1 / np.arange(1, VOCABULARY + 1) ** 1.3
ZIPF = np.cumsum(_FREQUENCIES)[:-1] / _FREQUENCIES.sum()
"""(VOCABULARY - 1,) share of the words that are among the most frequent 1, 2, ..."""

SHORTEST, LONGEST = 8, 32
"""Words per text."""

OWN_SHARE, WRONG = 0.3, 0.05
"""Largest share of a text's words that are of its class; share of labels that are wrong."""

COPIED, CHANGED = 0.01, 0.01
"""Share of the texts that are copies of another, and that are copies but for one word."""

BLOCK = 50_000
"""Texts that are drawn at once, to bound the memory."""


@dataclass(frozen=True, eq=False)
class Copies:
    """The planted copies.

    Attributes:
        rows: (C,) int64 rows of the copies, those with a changed word last.
        sources: (C,) int64 row of the text that each copies.
        exact: number of exact copies.
    """

    rows: np.ndarray
    sources: np.ndarray
    exact: int


def word(number: int) -> str:
    """Return a word of two to four syllables, another for every number."""
    parts = []
    number += 85
    while number:
        number, rest = divmod(number, 85)
        parts.append("bcdfghjklmnprstvz"[rest % 17] + "aeiou"[rest // 17])
    return "".join(parts)


def write_corpus(path: Path, count: int, seed: int = 0) -> Copies:
    """Write ``count`` labelled texts as CSV, block by block, and return the planted copies.

    A copy is in the second half of the file, and its source in the first.
    """
    rng = np.random.default_rng(seed)
    words = np.array([word(number) for number in range(VOCABULARY)])
    rows = rng.permutation(np.arange(count // 2, count))[: int((COPIED + CHANGED) * count)]
    sources = rng.integers(0, count // 2, len(rows))
    exact = int(COPIED * count)
    source_of = dict(zip(rows.tolist(), sources.tolist(), strict=True))
    changed = set(rows[exact:].tolist())
    kept: dict[int, tuple[list[str], str]] = dict.fromkeys(sources.tolist(), ([], ""))
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["text", "label"])
        for start in range(0, count, BLOCK):
            texts, labels = _drawn(rng, words, min(BLOCK, count - start))
            for row, (text, label) in enumerate(zip(texts, labels, strict=True), start):
                if row in source_of:
                    text, label = kept[source_of[row]]
                    if row in changed:
                        text = [*text]
                        text[len(text) // 2] = str(words[int(rng.integers(VOCABULARY))])
                if row in kept:
                    kept[row] = text, label
                out.writerow([" ".join(text), label])
    return Copies(rows, sources, exact)


def _drawn(
    rng: np.random.Generator, words: np.ndarray, count: int
) -> tuple[list[list[str]], list[str]]:
    """Return the words and the labels of some texts."""
    lengths = rng.integers(SHORTEST, LONGEST + 1, count)
    of = np.repeat(np.arange(count), lengths)
    drawn = np.searchsorted(ZIPF, rng.random(len(of)))
    classes = rng.integers(0, CLASSES, count)
    own = rng.random(len(of)) < (rng.random(count) * OWN_SHARE)[of]
    first = VOCABULARY - (1 + classes) * CLASS_WORDS
    drawn[own] = first[of[own]] + rng.integers(0, CLASS_WORDS, int(own.sum()))
    wrong = rng.random(count) < WRONG
    classes[wrong] = rng.integers(0, CLASSES, int(wrong.sum()))
    texts = [part.tolist() for part in np.split(words[drawn], np.cumsum(lengths)[:-1])]
    return texts, [f"class {label}" for label in classes.tolist()]
