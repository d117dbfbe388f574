"""``manyheads export``: write vectors for other tools."""

from __future__ import annotations

import argparse

from pipeline.cli import options
from pipeline.cli.command import Answer
from pipeline.config import DataConfig, ExperimentConfig, VectorConfig
from pipeline.encoding.config import ExportConfig


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads export``."""
    options.add_options(parser, ExportConfig)
    options.add_options(
        parser, ExperimentConfig, only=("layout",), otherwise={"layout": "pooled"}
    )
    options.add_options(parser, DataConfig, without=options.SPLIT)
    options.add_options(parser, VectorConfig, without=("memory",))


def run(parsed: argparse.Namespace) -> Answer:
    """Answer the command."""
    from pipeline.encoding.export import run_export

    result = run_export(
        options.from_arguments(DataConfig, parsed),
        options.from_arguments(VectorConfig, parsed),
        parsed.layout,
        options.from_arguments(ExportConfig, parsed),
    )
    return Answer(result.to_dict(), result.to_text())
