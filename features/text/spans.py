"""Where the words of a text stand, in characters. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

STRETCH = re.compile(r"\S+")

UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""A letter of a script without blanks between words: Chinese, Japanese, Thai and others."""

Span = tuple[int, int]
"""Start and end in a text, in characters."""


def word_spans(text: str) -> list[Span]:
    """Return the words of a text: stretches between blanks, with their punctuation.

    In scripts without blanks each letter is a word.

    >>> word_spans("What a day!")
    [(0, 4), (5, 6), (7, 11)]
    >>> word_spans("\u65e5\u672c ok")
    [(0, 1), (1, 2), (3, 5)]
    """
    spans: list[Span] = []
    for stretch in STRETCH.finditer(text):
        begin = stretch.start()
        for letter in UNSPACED.finditer(text, *stretch.span()):
            if begin < letter.start():
                spans.append((begin, letter.start()))
            spans.append(letter.span())
            begin = letter.end()
        if begin < stretch.end():
            spans.append((begin, stretch.end()))
    return spans


def merged_spans(spans: Sequence[Span], pieces: Iterable[Span]) -> list[Span]:
    """Return words with those merged that one piece covers, as a token may.

    Args:
        spans: words, in their order.
        pieces: spans of tokens, in their order.

    >>> merged_spans([(0, 1), (1, 2), (3, 5)], [(0, 2), (3, 4), (4, 5)])
    [(0, 2), (3, 5)]
    """
    joined: set[int] = set()  # places of words that belong to the word before
    place = 0
    for start, end in pieces:
        while place < len(spans) and spans[place][1] <= start:
            place += 1
        last = place
        while last + 1 < len(spans) and spans[last + 1][0] < end:
            last += 1
            joined.add(last)
    found: list[Span] = []
    for place, (start, end) in enumerate(spans):
        if place in joined:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def at_most(spans: Sequence[Span], most: int) -> list[Span]:
    """Return ``most`` spans or fewer: neighbours are joined, as evenly as possible.

    >>> at_most([(0, 1), (2, 3), (4, 5)], 2)
    [(0, 3), (4, 5)]
    """
    if len(spans) <= most:
        return list(spans)
    size = -(-len(spans) // most)
    groups = [spans[start : start + size] for start in range(0, len(spans), size)]
    return [(group[0][0], group[-1][1]) for group in groups]
