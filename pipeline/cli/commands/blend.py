"""``manyheads blend``: make one run of several."""

from __future__ import annotations

import argparse

from pipeline.blending.config import BlendConfig
from pipeline.cli import options
from pipeline.cli.command import Answer
from pipeline.config import ExperimentConfig


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads blend``."""
    parser.add_argument(
        "parts",
        nargs="+",
        metavar="RUN",
        help="blend these runs, two or more: names or folders, trained on the same sides of "
        "the same data (see train --split-of)",
    )
    options.add_options(parser, BlendConfig)
    options.add_options(parser, ExperimentConfig, only=("runs",))


def run(parsed: argparse.Namespace) -> Answer:
    """``manyheads blend``."""
    from pipeline.blending.blend_run import run_blend
    from pipeline.reports.verdict import verdict_text

    config = options.from_arguments(BlendConfig, parsed)
    result = run_blend(parsed.parts, parsed.runs, config)
    return Answer(result.to_dict(), verdict_text(result))
