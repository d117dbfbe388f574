"""``manyheads layers``: find the encoder's layer that serves a corpus best."""

from __future__ import annotations

import argparse

from pipeline.cli import options
from pipeline.cli.command import Answer
from pipeline.tuning.config import LayersConfig


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads layers``."""
    options.add_options(parser, LayersConfig, otherwise={"layers": "all are compared"})


def run(parsed: argparse.Namespace) -> Answer:
    """Answer the command."""
    from heads.device import check_here
    from heads.registry import make_settings
    from pipeline.training.preparation import check_first_rows, find_encoder

    config = options.from_arguments(LayersConfig, parsed)
    make_settings(config.head, config.settings)
    check_here(config.device)
    check_first_rows(config.data)
    find_encoder(config.vectors)
    # Imported only now: this takes seconds, and what is wrong was answered before.
    from pipeline.tuning.layers import run_layers

    result = run_layers(config)
    return Answer(result.to_dict(), result.to_text())
