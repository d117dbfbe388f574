"""``manyheads layers``: find the encoder's layer that serves a corpus best."""

from __future__ import annotations

import argparse
from pathlib import Path

from features.options import NONE
from features.storage.location import local_path
from pipeline.cli import options
from pipeline.cli.command import Answer
from pipeline.config import DataConfig, ExperimentConfig, VectorConfig


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads layers``."""
    parser.add_argument(
        "--sample",
        type=int,
        default=2000,
        metavar="N",
        help="texts at the most, drawn class by class (default: 2000)",
    )
    parser.add_argument(
        "--seeds", type=int, default=2, metavar="K", help="trainings of each layer (default: 2)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the first one (default: 0)")
    parser.add_argument(
        "--plot",
        type=local_path,
        default=Path("layers.png"),
        metavar="FILE",
        help="accuracy by layer as a PNG (default: layers.png; or none)",
    )
    parser.add_argument("--head", default="cnn", help="trained on each layer (default: cnn)")
    options.settings_option(parser, "head")
    options.add_options(parser, ExperimentConfig, only=("device",))
    options.add_options(parser, DataConfig)
    options.add_options(parser, VectorConfig, otherwise={"layers": "all are compared"})


def run(parsed: argparse.Namespace) -> Answer:
    """Answer the command."""
    from pipeline.tuning.layers import LayersConfig, run_layers

    config = LayersConfig(
        data=options.from_arguments(DataConfig, parsed),
        vectors=options.from_arguments(VectorConfig, parsed),
        head=parsed.head,
        settings=options.settings(parsed),
        sample=parsed.sample,
        seeds=parsed.seeds,
        seed=parsed.seed,
        plot=None if str(parsed.plot) == NONE else parsed.plot,
        device=parsed.device,
    )
    result = run_layers(config)
    return Answer(result.to_dict(), result.to_text())
