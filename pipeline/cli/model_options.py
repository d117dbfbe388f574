"""Options of ``lr-range``, before a training; of ``blend`` and ``export-model``, after it."""

from __future__ import annotations

import argparse
from pathlib import Path

from features.storage.location import local_path
from pipeline.cli import options


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
        "--out", type=local_path, required=True, metavar="FOLDER", help="a folder to make"
    )
    options.runs_option(parser)


def blend_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads blend``."""
    parser.add_argument(
        "parts",
        nargs="+",
        metavar="RUN",
        help="two run folders or more, or their names, trained on the same sides of the same "
        "data (see train --split-of)",
    )
    options.runs_option(parser)


def lr_range_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads lr-range``."""
    options.preset_options(parser, "cnn")
    parser.add_argument("--seed", type=int, default=0, help="of the training (default: 0)")
    parser.add_argument(
        "--lowest",
        type=float,
        default=1e-5,
        metavar="RATE",
        help="the first step size (default: 1e-5)",
    )
    parser.add_argument(
        "--highest",
        type=float,
        default=10.0,
        metavar="RATE",
        help="the last step size, unless the loss diverges before (default: 10)",
    )
    parser.add_argument(
        "--steps",
        type=int,
        metavar="N",
        help="how many steps (default: an epoch, but 100 to 500)",
    )
    parser.add_argument(
        "--plot",
        type=local_path,
        default=Path("lr-range.png"),
        metavar="FILE",
        help="loss by learning rate as a PNG (default: lr-range.png; or none)",
    )
    options.split_options(parser)
    options.layout_option(parser, "the head's natural one")
    options.data_options(parser)
    options.vector_options(parser)
    options.memory_option(parser)
