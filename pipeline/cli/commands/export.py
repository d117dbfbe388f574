"""``manyheads export``: write vectors for other tools."""

from __future__ import annotations

import argparse

from features.storage.location import local_path
from pipeline.cli import options
from pipeline.cli.command import Answer
from pipeline.config import DataConfig, ExperimentConfig, VectorConfig


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads export``."""
    parser.add_argument(
        "--format",
        default="npy",
        metavar="NAME",
        help="write npy, arrow, parquet, or hf, a folder of a Hugging Face data set (default: "
        "npy)",
    )
    parser.add_argument(
        "--out",
        type=local_path,
        required=True,
        metavar="PATH",
        help="write the vectors to this file or folder",
    )
    options.add_options(
        parser, ExperimentConfig, only=("layout",), otherwise={"layout": "pooled"}
    )
    options.add_options(parser, DataConfig, without=options.SPLIT)
    options.add_options(parser, VectorConfig, without=("memory",))


def run(parsed: argparse.Namespace) -> Answer:
    """Answer the command."""
    from pipeline.encoding.export import run_export

    result = run_export(
        options.from_arguments(DataConfig, parsed),
        options.from_arguments(VectorConfig, parsed),
        parsed.layout,
        parsed.format,
        parsed.out,
    )
    return Answer(result.to_dict(), result.to_text())
