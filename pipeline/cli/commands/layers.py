"""``manyheads layers``: find the encoder's layer that serves a corpus best."""

from __future__ import annotations

import argparse
from pathlib import Path

from features.options import NONE
from features.storage.location import local_path
from pipeline.cli import options
from pipeline.cli.command import Answer
from pipeline.config import DataConfig, VectorConfig


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads layers``."""
    parser.add_argument(
        "--sample",
        type=int,
        default=2000,
        metavar="N",
        help="compare on at most N texts, drawn class by class (default: 2000)",
    )
    parser.add_argument(
        "--seeds",
        type=int,
        default=2,
        metavar="K",
        help="train K times on each layer (default: 2)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="begin with this seed (default: 0)"
    )
    parser.add_argument(
        "--plot",
        type=local_path,
        default=Path("layers.png"),
        metavar="FILE",
        help="draw the accuracy by layer as this PNG, or none (default: layers.png)",
    )
    parser.add_argument(
        "--head",
        default="cnn",
        metavar="NAME",
        help="train this classifier on each layer (default: cnn)",
    )
    options.settings_option(parser, "head")
    options.add_options(parser, DataConfig)
    options.add_options(parser, VectorConfig, otherwise={"layers": "all are compared"})


def run(parsed: argparse.Namespace) -> Answer:
    """Answer the command."""
    from heads.registry import make_settings
    from pipeline.training.preparation import check_first_rows, find_encoder

    data = options.from_arguments(DataConfig, parsed)
    vectors = options.from_arguments(VectorConfig, parsed)
    settings = options.settings(parsed)
    make_settings(parsed.head, settings)
    check_first_rows(data)
    find_encoder(vectors)
    # Imported only now: this takes seconds, and what is wrong was answered before.
    from pipeline.tuning.layers import LayersConfig, run_layers

    config = LayersConfig(
        data=data,
        vectors=vectors,
        head=parsed.head,
        settings=settings,
        sample=parsed.sample,
        seeds=parsed.seeds,
        seed=parsed.seed,
        plot=None if str(parsed.plot) == NONE else parsed.plot,
    )
    result = run_layers(config)
    return Answer(result.to_dict(), result.to_text())
