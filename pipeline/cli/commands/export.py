"""``manyheads export``: write vectors for other tools."""

from __future__ import annotations

import argparse

from features.storage.location import local_path
from pipeline.cli import options
from pipeline.cli.command import Answer


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads export``."""
    format_options(parser)
    options.layout_option(parser, "pooled")
    options.data_options(parser)
    options.vector_options(parser)


def format_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads export`` beside those of the data and the encoder."""
    parser.add_argument(
        "--format",
        default="npy",
        metavar="NAME",
        help="npy, arrow, parquet or hf, a Hugging Face data set folder (default: npy)",
    )
    parser.add_argument(
        "--out",
        type=local_path,
        required=True,
        metavar="PATH",
        help="the file or folder to write",
    )


def run(parsed: argparse.Namespace) -> Answer:
    """Answer the command."""
    from pipeline.encoding.export import run_export

    result = run_export(
        options.data_config(parsed),
        options.vector_config(parsed),
        parsed.layout,
        parsed.format,
        parsed.out,
    )
    return Answer(result.to_dict(), result.to_text())
