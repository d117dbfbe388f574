"""``manyheads show``: what a run is, and what to do with it."""

from __future__ import annotations

import argparse

from pipeline.cli import options
from pipeline.cli.command import Answer, answer
from pipeline.config import ExperimentConfig


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads show``."""
    options.run_argument(parser)
    options.add_options(parser, ExperimentConfig, only=("runs",))


def run(parsed: argparse.Namespace) -> Answer:
    """Answer the command."""
    from pipeline.overview.run_choice import choose_run
    from pipeline.overview.run_page import show_run

    return answer(show_run(choose_run(parsed.run, parsed.runs), parsed.runs))
