"""Whether texts are in a language that the encoder does not read, and what would read it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from features.encoders.description.languages import languages_of
from features.encoders.description.model import EncoderModel
from features.messages import listed
from features.text.languages import MOST, NAMES, ForeignTexts, foreign_language

SAMPLE = 500
"""Texts that are looked at: evenly spaced ones of a list, the first ones of a stream."""

MULTILINGUAL = (
    "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
    "intfloat/multilingual-e5-small --prompt 'query: '",
)
OF_LANGUAGE = {"zh": "BAAI/bge-small-zh-v1.5", "en": "all-MiniLM-L6-v2"}
"""Small encoders that read a language and little else."""


def foreign_texts(model: EncoderModel, texts: Iterable[str]) -> ForeignTexts | None:
    """Return the language that a good part of some texts is in and an encoder does not read.

    Args:
        model: the encoder.
        texts: all texts, of which a sample is looked at.
    """
    return foreign_to(languages_of(model), sample_of(texts), model.name)


def foreign_to(
    languages: frozenset[str] | None, sample: Iterable[str], encoder: str
) -> ForeignTexts | None:
    """Return the language that a good part of a sample is in and an encoder does not read.

    Args:
        languages: ISO 639-1 codes of those that it reads; None: every one, or nobody says.
        sample: texts.
        encoder: its name, for the sentence.
    """
    found = foreign_language(languages, sample)
    if found is None or languages is None:
        return None
    language, share = found
    which = "most of these texts look" if share > MOST else f"{share:.0%} of these texts look"
    reads = listed(NAMES.get(code, code) for code in sorted(languages))
    named = " or ".join(f"--encoder {name}" for name in readers_of(language))
    return ForeignTexts(
        language,
        round(share, 4),
        f"{which} {NAMES[language]}, and the encoder {encoder} reads {reads}: an encoder that "
        f"reads {NAMES[language]} will tell more, such as {named}",
    )


def readers_of(language: str) -> list[str]:
    """Return one or two encoders that read a language, with the options that they need."""
    special = OF_LANGUAGE.get(language)
    others = [special] if special else []
    others += MULTILINGUAL if language != "en" else ()
    return others[:2]


def sample_of(texts: Iterable[str]) -> Iterable[str]:
    """Return some of the texts."""
    if isinstance(texts, Sequence):
        return texts[:: max(1, len(texts) // SAMPLE)]
    return islice(texts, SAMPLE)
