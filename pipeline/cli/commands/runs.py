"""``manyheads runs``: the finished runs as a table."""

from __future__ import annotations

import argparse

from pipeline.cli import options
from pipeline.cli.command import Answer, answer
from pipeline.config import ExperimentConfig


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads runs``."""
    parser.add_argument(
        "--data",
        metavar="NAME",
        help="show only runs on this data: its file, or a part of its name",
    )
    parser.add_argument(
        "--head", metavar="NAME", help="show only runs of this head, or of blend"
    )
    parser.add_argument(
        "--sort",
        default="age",
        metavar="NAME",
        help="order by age, name, data, head, encoder, validation or test (default: age)",
    )
    options.add_options(parser, ExperimentConfig, only=("runs",))


def run(parsed: argparse.Namespace) -> Answer:
    """Answer the command."""
    from pipeline.overview.run_list import list_runs

    return answer(list_runs(parsed.runs, parsed.sort, parsed.data, parsed.head))
