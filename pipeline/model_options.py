"""Options of ``export-model``."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline import options


def export_model_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads export-model``."""
    parser.add_argument(
        "run",
        nargs="?",
        default="latest",
        metavar="RUN",
        help="a run folder or its name (default: latest)",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="a folder to make"
    )
    options.runs_option(parser)
