"""``manyheads runs``: the finished runs as a table."""

from __future__ import annotations

import argparse

from pipeline.cli import options
from pipeline.cli.command import Answer, answer
from pipeline.config import ExperimentConfig
from pipeline.overview.config import RunsConfig


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads runs``."""
    options.add_options(parser, RunsConfig)
    options.add_options(parser, ExperimentConfig, only=("runs",))


def run(parsed: argparse.Namespace) -> Answer:
    """Answer the command."""
    from pipeline.overview.run_list import list_runs

    config = options.from_arguments(RunsConfig, parsed)
    return answer(list_runs(parsed.runs, config.sort, config.data, config.head))
