"""``manyheads doctor``: why a head does not learn, with proof."""

from __future__ import annotations

import argparse

from pipeline.cli import options
from pipeline.cli.command import Answer, answer
from pipeline.config import ExperimentConfig
from pipeline.doctor.config import DoctorConfig


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads doctor``."""
    options.run_argument(parser)
    parser.add_argument("--prove", action="store_true", help=argparse.SUPPRESS)  # the default
    options.add_options(parser, DoctorConfig)
    options.add_options(parser, ExperimentConfig, only=("runs",))


def run(parsed: argparse.Namespace) -> Answer:
    """Answer the command."""
    from pipeline.overview.run_choice import choose_run

    config = options.from_arguments(DoctorConfig, parsed)
    folder = choose_run(parsed.run, parsed.runs)
    from pipeline.doctor.doctor import run_doctor  # slow: what is wrong was answered before

    return answer(run_doctor(folder, config))
