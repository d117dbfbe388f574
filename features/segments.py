"""Segments: a long text cut into sentences, and an over-long sentence into windows. Pure.

Sentences come from sentencex (Wikimedia), whose rules know the abbreviations and quotation
marks of European languages and the full stops of Chinese and Japanese.
"""

from __future__ import annotations

SEGMENTATION = "sentencex-1 en, windows overlapping by 1/8"
"""Stands in the spec of the sentences layout: other rules, other vectors."""

LANGUAGE = "en"
"""Its rules end sentences at the marks of every script; other languages add abbreviations."""

OVERLAP = 8
SPARE_TOKENS = 4
"""A window is tokenized by itself, which may take a few tokens more than inside its text."""


def sentences(text: str) -> list[str]:
    """The sentences of a text, without white space around them; at least one.

    >>> sentences("Dr. Smith left. Did he?")
    ['Dr. Smith left.', 'Did he?']
    """
    # Imported here alone: a warm run only needs the name of the rules.
    import sentencex

    found = [piece.strip() for piece in sentencex.segment(LANGUAGE, text)]
    return [piece for piece in found if piece] or [text]


def windows(text: str, offsets: list[tuple[int, int]], most: int) -> list[str]:
    """An over-long text as overlapping windows of at most ``most`` tokens.

    Args:
        offsets: where each token of the text begins and ends, in characters; without
            special tokens.
        most: tokens a window, special ones not counted.

    >>> windows("a b c d e", [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)], 3)
    ['a b c', 'd e']
    """
    if len(offsets) <= most:
        return [text]
    step = most - most // OVERLAP
    starts = range(0, max(1, len(offsets) - most // OVERLAP), step)
    return [
        text[offsets[start][0] : offsets[min(start + most, len(offsets)) - 1][1]]
        for start in starts
    ]
