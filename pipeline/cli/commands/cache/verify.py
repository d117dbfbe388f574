"""``manyheads verify``: check every file of the cache."""

from __future__ import annotations

import argparse

from features.corpus.recognition.dialect import Dialect
from pipeline.cache.config import VerifyConfig
from pipeline.cli import options
from pipeline.cli.command import Answer, answer
from pipeline.config import DataConfig, VectorConfig


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads verify``."""
    options.add_options(parser, VectorConfig, only=("cache",))
    options.add_options(parser, VerifyConfig)
    options.add_options(
        parser, DataConfig, only=("text_column", "delimiter", "encoding", "sheet")
    )
    options.add_options(parser, VectorConfig, only=("trust_remote_code",))


def run(parsed: argparse.Namespace) -> Answer:
    """Verify as the command's arguments ask."""
    config = options.from_arguments(VerifyConfig, parsed)
    from pipeline.cache.verification import verify

    return answer(
        verify(
            parsed.cache,
            config,
            text_column=parsed.text_column,
            dialect=options.from_arguments(Dialect, parsed),
            trust_remote_code=parsed.trust_remote_code,
        )
    )
