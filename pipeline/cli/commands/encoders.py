"""``manyheads encoders``: find the encoder that serves a corpus best."""

from __future__ import annotations

import argparse

from pipeline.cli import options
from pipeline.cli.command import Answer
from pipeline.config import DataConfig, VectorConfig
from pipeline.tuning.encoders_config import ComparedEncoders, EncodersConfig


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads encoders``."""
    options.add_options(parser, ComparedEncoders)
    options.add_options(parser, EncodersConfig, only=("head", "sample", "seeds", "seed"))
    options.add_options(parser, DataConfig)
    options.add_options(parser, VectorConfig, without=("encoder", "layers"))


def run(parsed: argparse.Namespace) -> Answer:
    """Answer the command."""
    names = options.from_arguments(ComparedEncoders, parsed).encoders
    del parsed.encoder  # the configuration of one encoder has an option of this name
    config = options.from_arguments(EncodersConfig, parsed, encoders=names)
    from pipeline.training.preparation import check_first_rows

    check_first_rows(config.data)
    # Imported only now: this takes seconds, and what is wrong was answered before.
    from pipeline.tuning.encoders import run_encoders

    result = run_encoders(config)
    return Answer(result.to_dict(), result.to_text())
