"""``manyheads log``: a finished run into an experiment tracker."""

from __future__ import annotations

import argparse

from pipeline.cli import options
from pipeline.cli.command import Answer, answer
from pipeline.config import ExperimentConfig
from pipeline.tracking.config import LogConfig


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads log``."""
    options.run_argument(parser)
    options.add_options(parser, LogConfig)
    options.add_options(parser, ExperimentConfig, only=("runs",))


def run(parsed: argparse.Namespace) -> Answer:
    """Answer the command."""
    from pipeline.overview.run_choice import choose_run
    from pipeline.tracking.tracking import log_run

    config = options.from_arguments(LogConfig, parsed)
    return answer(log_run(choose_run(parsed.run, parsed.runs), config))
