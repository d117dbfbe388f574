"""``manyheads lr-range``: find the learning rate to train a head with."""

from __future__ import annotations

import argparse
from pathlib import Path

from features.options import NONE
from features.storage.location import local_path
from heads.presets import find_preset
from pipeline.cli import options
from pipeline.cli.command import Answer, answer
from pipeline.config import ExperimentConfig

HEAD = "cnn"
"""The head that is tested where none is named."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads lr-range``."""
    options.preset_options(parser, HEAD)
    parser.add_argument(
        "--lowest",
        type=float,
        default=1e-5,
        metavar="RATE",
        help="begin with this learning rate (default: 1e-5)",
    )
    parser.add_argument(
        "--highest",
        type=float,
        default=10.0,
        metavar="RATE",
        help="end with this learning rate, unless the loss diverges before (default: 10)",
    )
    parser.add_argument(
        "--steps",
        type=int,
        metavar="N",
        help="take N steps (default: an epoch, but 100 to 500)",
    )
    parser.add_argument(
        "--plot",
        type=local_path,
        default=Path("lr-range.png"),
        metavar="FILE",
        help="draw the loss by learning rate as this PNG, or none (default: lr-range.png)",
    )
    options.add_options(
        parser, ExperimentConfig, without=("seeds", "folds", "split_of", "runs")
    )


def run(parsed: argparse.Namespace) -> Answer:
    """``manyheads lr-range``."""
    from pipeline.training.preparation import check_first_rows, check_head, find_encoder

    training = training_config(parsed)
    check_head(training)
    check_first_rows(training.data)
    find_encoder(training.vectors)
    # Imported only now: this takes seconds, and what is wrong was answered before.
    from pipeline.tuning.learning_rate import LrRangeConfig, run_lr_range

    plot = None if str(parsed.plot) == NONE else parsed.plot
    config = LrRangeConfig(training, parsed.lowest, parsed.highest, parsed.steps, plot)
    return answer(run_lr_range(config))


def training_config(parsed: argparse.Namespace) -> ExperimentConfig:
    """The training that the options of ``lr-range`` describe."""
    preset = find_preset(parsed.preset) if parsed.preset else None
    return options.from_arguments(
        ExperimentConfig,
        parsed,
        head=parsed.head or (preset.head if preset else HEAD),
        preset=preset.name if preset else None,
        settings=options.settings(parsed),
    )
