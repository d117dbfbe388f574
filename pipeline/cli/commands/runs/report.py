"""``manyheads report``: a run as a page for the browser."""

from __future__ import annotations

import argparse

from pipeline.cli import options
from pipeline.cli.command import Answer, answer
from pipeline.config import ExperimentConfig
from pipeline.pages.config import ReportConfig


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads report``."""
    parser.add_argument(
        "reported",
        nargs="*",
        metavar="RUN",
        help="show this run, or these two side by side, or this study: names, beginnings of "
        "names, or folders (default: latest)",
    )
    options.add_options(parser, ReportConfig)
    options.add_options(parser, ExperimentConfig, only=("runs",))


def run(parsed: argparse.Namespace) -> Answer:
    """Answer the command."""
    from pipeline.pages.report import write_report

    config = options.from_arguments(ReportConfig, parsed)
    return answer(write_report(parsed.reported, parsed.runs, config))
