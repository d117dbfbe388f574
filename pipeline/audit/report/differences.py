"""Which words of two texts differ, to be marked."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

UNSPACED = "\u2e80-\U0003ffff"
"""Letters of scripts without spaces between words: each counts as a word."""

PIECE = re.compile(rf"\s+|[{UNSPACED}]|[^\W{UNSPACED}]+|[^\w\s]")

Segment = tuple[str, bool]
"""Part of a text, and whether it differs."""


def differences(one: str, other: str) -> tuple[list[Segment], list[Segment]]:
    """Return two texts in parts, each with whether it is not in the other text, case aside.

    >>> differences("my aunt died", "my uncle died")[0]
    [('my ', False), ('aunt', True), (' died', False)]
    """
    pieces = PIECE.findall(one), PIECE.findall(other)
    words, others = ([piece.casefold() for piece in each] for each in pieces)
    blocks = SequenceMatcher(None, words, others, autojunk=False).get_opcodes()
    first = [("".join(pieces[0][a:b]), tag != "equal") for tag, a, b, _, _ in blocks if b > a]
    second = [("".join(pieces[1][c:d]), tag != "equal") for tag, _, _, c, d in blocks if d > c]
    return first, second
