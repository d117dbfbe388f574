"""Segmentation of long texts, into sentences or overlapping token windows. Pure.

Sentences come from sentencex (Wikimedia), whose rules know the abbreviations and quotation
marks of European languages and the full stops of Chinese and Japanese.
"""

from __future__ import annotations

from dataclasses import dataclass

from features.errors import SettingError
from features.messages import listed

LANGUAGE = "en"
"""Default language. Its rules split at the marks of every script; others add abbreviations."""

_CODES = "am ar bg bn ca da de el en es fi fr gu hi hy it ja kk kn ml mr my nl pa pl pt ru"
LANGUAGES = (*_CODES.split(), "sk", "ta", "te", "uk", "zh")
"""Languages for which the splitter has rules, and zh, whose marks all rules know."""

OVERLAP = 8
FIRST_SPLITTER = "1.0.32"
"""The version that spaces without a full version were cut by."""

SPARE_TOKENS = 4
"""Spare tokens per window: tokenized by itself, a window may have a few more than in its text.
"""

JOINED_OVERLAP = 4
JOINED_WINDOWS = f"windows overlapping by 1/{JOINED_OVERLAP}, joined in the middle"
"""Rules of the windows in a spec with ``max_tokens``: other rules give other vectors."""


def check_language(language: str) -> str:
    """Return the language. Raises ``SettingError`` if the splitter does not know it."""
    if language not in LANGUAGES:
        raise SettingError(
            f"--language {language!r} is none that the sentence splitter has rules for: "
            f"{listed(LANGUAGES, len(LANGUAGES))}; for any other leave it out: the rules of "
            "en end sentences at the marks of every script"
        )
    return language


def segmentation(language: str) -> str:
    """Return the rules that split texts into sentences, in the form in which a spec holds them.

    Raises:
        SettingError: the splitter does not know the language.
    """
    from importlib import metadata  # slow to import, and most commands need no version

    version = metadata.version("sentencex")
    # Patch releases change sentences too. The first version keeps the name that it had.
    name = "sentencex-1" if version == FIRST_SPLITTER else f"sentencex-{version}"
    return f"{name} {check_language(language)}, windows overlapping by 1/{OVERLAP}"


def language_of(rules: str) -> str:
    """Return the language of a ``segmentation``; the default one if it names none.

    >>> language_of(segmentation("de")), language_of("")
    ('de', 'en')
    """
    name, _, rest = rules.partition(" ")
    return rest.partition(",")[0] if name.startswith("sentencex-") else LANGUAGE


def sentences(text: str, language: str = LANGUAGE) -> list[str]:
    """Return the sentences of a text, without white space around them; at least one.

    >>> sentences("Dr. Smith left. Did he?")
    ['Dr. Smith left.', 'Did he?']
    """
    # Imported only here: a warm run only needs the name of the rules.
    import sentencex

    found = [sentence.strip() for sentence in sentencex.segment(language, text)]
    return [sentence for sentence in found if sentence] or [text]


def token_windows(text: str, offsets: list[tuple[int, int]], max_tokens: int) -> list[str]:
    """Cut a text that is too long into overlapping windows.

    Args:
        offsets: the start and end of each token in the text, in characters; without special
            tokens.
        max_tokens: maximum tokens per window, without special tokens.

    >>> token_windows("a b c d e", [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)], 3)
    ['a b c', 'd e']
    """
    if len(offsets) <= max_tokens:
        return [text]
    step = max_tokens - max_tokens // OVERLAP
    starts = range(0, max(1, len(offsets) - max_tokens // OVERLAP), step)
    return [
        text[offsets[start][0] : offsets[min(start + max_tokens, len(offsets)) - 1][1]]
        for start in starts
    ]


@dataclass(frozen=True)
class Window:
    """The tokens ``start`` to ``stop - 1`` of a text, which the encoder sees together.

    The vectors of the tokens ``first`` to ``last - 1`` come from this window.
    """

    start: int
    stop: int
    first: int
    last: int


def joined_windows(tokens: int, max_tokens: int) -> list[Window]:
    """Return the windows of a text whose vectors are joined into one sequence.

    Neighbouring windows overlap by at least a quarter. There are as few as possible, evenly
    spaced, so that none is short. Each overlap is cut in the middle, so every vector comes from
    the window in which its token has the most context on both sides.

    Args:
        tokens: tokens of the text, without special tokens.
        max_tokens: maximum tokens per window.

    >>> [(w.start, w.stop, w.first, w.last) for w in joined_windows(16, 8)]
    [(0, 8, 0, 6), (4, 12, 6, 10), (8, 16, 10, 16)]
    """
    overlap = max_tokens // JOINED_OVERLAP
    count = max(1, -((overlap - tokens) // (max_tokens - overlap)))
    starts = [i * (tokens - max_tokens) // max(1, count - 1) for i in range(1, count)]
    starts.insert(0, 0)
    stops = [min(start + max_tokens, tokens) for start in starts]
    cuts = [(start + stop) // 2 for start, stop in zip(starts[1:], stops[:-1], strict=True)]
    return [
        Window(*bounds)
        for bounds in zip(starts, stops, [0, *cuts], [*cuts, tokens], strict=True)
    ]
