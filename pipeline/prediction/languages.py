"""Languages: whether texts are in one that the texts of a training were not in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from features.messages import listed
from features.text.languages import MOST, NAMES, foreign_language, language_of
from pipeline.encoding.foreign import sample_of

MIN_SHARE = 0.05
"""Minimum share of the training texts in a language for it to count as learned."""


def learned_languages(texts: Sequence[str]) -> frozenset[str] | None:
    """Return the ISO 639-1 codes of the languages of training texts; None if none shows."""
    found = Counter(map(language_of, sample_of(texts)))
    decided = found.total() - found[""]
    known = {code for code, n in found.items() if code and n >= MIN_SHARE * decided}
    return frozenset(known) or None


def unlearned_language(known: frozenset[str] | None, texts: Sequence[str]) -> list[str]:
    """Return a line if a good part of some texts is in a language that was not learned.

    Args:
        known: as ``learned_languages`` returns it.
        texts: N texts.
    """
    found = foreign_language(known, sample_of(texts))
    if found is None or known is None:
        return []
    language, share = found
    some = "most of these texts look" if share > MOST else f"{share:.0%} of these texts look"
    which = "this text looks" if len(texts) == 1 else some
    learned = listed(NAMES[code] for code in sorted(known))
    return [
        f"{which} {NAMES[language]}, and the run learned from texts in {learned}: labels may "
        "not fit"
    ]
