"""The texts of a data configuration, and what is said about how they are read."""

from __future__ import annotations

from features.corpus.corpus import Corpus, CorpusTexts, read_corpus
from pipeline.config import DataConfig
from pipeline.console import print_note


def read_data(data: DataConfig, labels: bool = True) -> Corpus:
    """Read the corpus of a data configuration; what was recognised is said on stderr.

    Args:
        labels: whether labels are required.

    Raises:
        CorpusError: as ``read_corpus``.
    """
    return read_corpus(
        data.data,
        data.columns,
        labels=labels,
        skip_empty=data.skip_empty,
        dialect=data.dialect,
        note=say_reading,
    )


def stream_texts(data: DataConfig) -> CorpusTexts:
    """Return the texts of a data configuration, to be read anew in each iteration."""
    text = data.columns.text
    return CorpusTexts(data.data, text, data.skip_empty, data.dialect, say_reading)


def say_reading(line: str) -> None:
    """Say on stderr how a file is read."""
    print_note(f"note: {line}")
