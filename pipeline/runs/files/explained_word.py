"""A word of a text with its part in the label, as ``errors.jsonl`` and ``predict`` have it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ExplainedWord:
    """A word, or a few neighbouring ones, with its part in the label.

    Attributes:
        word: as it stands in the text.
        start, end: its place, in characters from 0.
        weight: how much less probable the label is without it, or what it adds to the logit of
            the label, as ``WordWeights.unit`` says; below 0 if it speaks against the label.
    """

    word: str
    start: int
    end: int
    weight: float
