"""Options of the commands that look after a cache. Imports nothing but argparse's needs."""

from __future__ import annotations

import argparse

from features.storage.location import local_path, source
from pipeline.cli import options


def verify_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads verify``."""
    options.cache_option(parser)
    parser.add_argument(
        "--fix",
        action="store_true",
        help="move what is bad to CACHE/quarantine; the next run encodes just that again",
    )
    parser.add_argument(
        "--data",
        type=source,
        metavar="FILE",
        help="texts to encode again and compare with what is stored",
    )
    options.text_column_option(parser)
    parser.add_argument(
        "--encoder",
        metavar="NAME",
        help="a folder or a hub id: also find spaces that it filled with other weights",
    )
    parser.add_argument(
        "--sample",
        type=int,
        metavar="N",
        help="texts of --data to compare in each space of that encoder (default: 64)",
    )
    options.trust_option(parser)


def export_options(parser: argparse.ArgumentParser) -> None:
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


def cache_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads cache`` and ``manyheads compact``."""
    options.cache_option(parser)


def collect_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads collect``."""
    options.cache_option(parser)
    parser.add_argument(
        "--data",
        type=source,
        nargs="+",
        action="extend",
        metavar="FILE",
        help="all data sets that are still needed; texts in none of them go",
    )
    options.text_column_option(parser)
    parser.add_argument(
        "--older-than",
        metavar="DATE",
        help="such as 2026-01-31: spaces last used before that day go whole",
    )
    parser.add_argument(
        "--yes", action="store_true", help="do it; without it only what would go is shown"
    )


def certify_option(parser: argparse.ArgumentParser) -> None:
    """``manyheads features --certify``."""
    parser.add_argument(
        "--certify",
        type=int,
        nargs="?",
        const=1000,
        metavar="N",
        help="store nothing; measure on N texts what each stored form costs (default: 1000)",
    )
