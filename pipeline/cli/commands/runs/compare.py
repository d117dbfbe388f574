"""``manyheads compare``: finished runs side by side."""

from __future__ import annotations

import argparse

from pipeline.cli import options
from pipeline.cli.command import Answer, answer
from pipeline.comparison.config import CompareConfig
from pipeline.config import ExperimentConfig


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads compare``."""
    parser.add_argument(
        "compared",
        nargs="*",
        metavar="RUN",
        help="compare these runs, two or more: names or folders; a study stands for the run of "
        "its winner (default: all finished runs on the data of the newest one)",
    )
    options.add_options(parser, CompareConfig)
    options.add_options(parser, ExperimentConfig, only=("runs",))


def run(parsed: argparse.Namespace) -> Answer:
    """Answer the command."""
    from pipeline.comparison.comparison import compare_runs

    config = options.from_arguments(CompareConfig, parsed)
    return answer(compare_runs(parsed.compared, parsed.runs, config))
