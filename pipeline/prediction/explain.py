"""What an explanation holds: the nearest training texts, and the words that decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from features.errors import SettingError
from pipeline.runs.files.explained_word import ExplainedWord

WORDS = "words"
NEAREST = 3
"""Nearest training texts, unless another number is asked for."""


@dataclass(frozen=True)
class Explain:
    """What is asked for.

    Attributes:
        neighbors: how many of the nearest training texts.
        words: whether to weigh the words of the text.
    """

    neighbors: int = 0
    words: bool = False

    def __bool__(self) -> bool:
        return bool(self.neighbors or self.words)

    @classmethod
    def of(cls, given: Any) -> Self:
        """Return what a number, ``words``, or both joined by a comma ask for.

        Raises:
            SettingError: it is none of these.

        >>> Explain.of("words,5")
        Explain(neighbors=5, words=True)
        """
        if isinstance(given, cls):
            return given
        parts = [part.strip() for part in str(given).split(",")]
        numbers = [part for part in parts if part != WORDS]
        number = numbers[0] if numbers else "0"
        if len(numbers) > 1 or not number.isdecimal():
            raise SettingError(
                f"--explain takes how many texts, 1 or more, or {WORDS}, or both joined by a "
                f"comma; got {given}"
            )
        return cls(int(number), WORDS in parts)


NOTHING = Explain()


@dataclass(frozen=True)
class WordWeights:
    """The words of N texts, with their weights.

    Attributes:
        texts: of each text its words in their order; none of a text whose words cannot be told.
        unit: ``probability`` or ``logit``.
    """

    texts: tuple[tuple[ExplainedWord, ...], ...]
    unit: str

    @property
    def note(self) -> str:
        """What the weights are, and what they leave out."""
        return NOTES[self.unit]


PROBABILITY, LOGIT = "probability", "logit"

NOTES = {
    PROBABILITY: "a word's weight is how much less probable the label is without the word's "
    "vectors; what the encoder put of the word into the vectors of others stays",
    LOGIT: "a word's weight is what its n-grams add to the logit of the label, beyond what "
    "they add to that of labels on average; with the bias these weights are all there is",
}


def strongest(words: tuple[ExplainedWord, ...], most: int) -> list[ExplainedWord]:
    """Return the words of greatest weight, for or against the label."""
    return sorted(words, key=lambda word: -abs(word.weight))[:most]
