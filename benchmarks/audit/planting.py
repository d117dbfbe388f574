"""Planted truth: copies, flipped labels, giveaways and non-answers put into a corpus.

Everything is seeded, and what was planted where comes back with the corpus.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

SENTENCE_END = re.compile(r"(?<=[.!?])\s+")

EDITED = ("words", "sentence_order", "half")
"""Kinds of copies that folding case and punctuation does not undo."""


@dataclass(frozen=True)
class Copy:
    """One planted copy: its row in the planted corpus, the row it was made of, and its kind."""

    row: int
    source: int
    kind: str


def recase(text: str, rng: np.random.Generator) -> str:
    """The same words in another case and with other punctuation."""
    changed = (text.upper(), text.lower(), text.title())[rng.integers(3)]
    bare = changed.translate(str.maketrans("", "", '.,!?;:"')).strip()
    return f"{bare}{('!', ' !!', '...', '')[rng.integers(4)]}"


def change_words(
    text: str, count: int, vocabulary: Sequence[str], rng: np.random.Generator
) -> str:
    """``count`` words replaced by others of the corpus, left out, or joined by a new one."""
    words = text.split()
    for _ in range(count):
        place = int(rng.integers(len(words)))
        new = vocabulary[int(rng.integers(len(vocabulary)))]
        change = rng.random()
        if change < 0.6:
            words[place] = new
        elif change < 0.8 and len(words) > 2:
            del words[place]
        else:
            words.insert(place, new)
    return " ".join(words)


def reorder(text: str, rng: np.random.Generator) -> str:
    """The same sentences, turned round by at least one place."""
    sentences = SENTENCE_END.split(text.strip())
    turn = int(rng.integers(1, len(sentences)))
    return " ".join(sentences[turn:] + sentences[:turn])


def halve(text: str, rng: np.random.Generator) -> str:
    """The first or the second half of the words."""
    words = text.split(" ")
    middle = len(words) // 2
    return " ".join(words[:middle] if rng.random() < 0.5 else words[middle:])


def plant_copies(
    texts: Sequence[str], sources: np.ndarray, each: int, rng: np.random.Generator
) -> list[tuple[int, str, str]]:
    """``each`` copies a kind: (source row, kind, text). No source is used twice."""
    vocabulary = " ".join(texts[i] for i in sources[:2000].tolist()).split()
    makers: dict[str, tuple[Callable[[str], bool], Callable[[str], str]]] = {
        "exact": (lambda t: True, lambda t: t),
        "normalized": (
            lambda t: len(t.strip(string.punctuation)) > 8,
            lambda t: recase(t, rng),
        ),
        "sentence_order": (
            lambda t: len(set(SENTENCE_END.split(t.strip()))) > 1,
            lambda t: reorder(t, rng),
        ),
        "half": (lambda t: len(t.split()) >= 12, lambda t: halve(t, rng)),
    }
    for count in (1, 2, 3):
        makers[f"words_{count}"] = (
            lambda t, n=count: len(t.split()) >= 4 * n,
            lambda t, n=count: change_words(t, n, vocabulary, rng),
        )
    left = [int(i) for i in rng.permutation(sources)]
    planted = []
    for kind, (fits, make) in makers.items():
        chosen = [i for i in left if fits(texts[i])][:each]
        left = [i for i in left if i not in set(chosen)]
        planted += [(i, kind, make(texts[i])) for i in chosen]
    return [(i, k, t) for i, k, t in planted if t.strip() and (k == "exact" or t != texts[i])]


def flip_labels(
    labels: Sequence[str], share: float, rng: np.random.Generator
) -> tuple[list[str], set[int]]:
    """The labels with a share of them changed to another class at random; and which rows."""
    names = sorted(set(labels))
    flipped = rng.permutation(len(labels))[: round(share * len(labels))].tolist()
    changed = list(labels)
    for row in flipped:
        others = [name for name in names if name != labels[row]]
        changed[row] = others[int(rng.integers(len(others)))]
    return changed, set(flipped)


def plant_token(
    texts: Sequence[str], rows: Sequence[int], where: str, token: str, rng: np.random.Generator
) -> list[str]:
    """The texts with a token put into some rows: at the ``start``, the ``end`` or ``anywhere``.

    ``#`` in the token stands for a number that differs from row to row.
    """
    changed = list(texts)
    for row in rows:
        words = changed[row].split(" ")
        places = {"start": 0, "end": len(words), "anywhere": int(rng.integers(len(words) + 1))}
        number = str(int(rng.integers(1000, 9999)))
        words.insert(places[where], token.replace("#", number))
        changed[row] = " ".join(words)
    return changed
