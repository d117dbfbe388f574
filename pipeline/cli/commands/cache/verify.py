"""``manyheads verify``: check every file of the cache."""

from __future__ import annotations

import argparse

from features.corpus.source import parse_source
from features.errors import SettingError
from pipeline.cli import options
from pipeline.cli.command import Answer, answer
from pipeline.config import DataConfig, VectorConfig


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads verify``."""
    options.add_options(parser, VectorConfig, only=("cache",))
    parser.add_argument(
        "--fix",
        action="store_true",
        help="move what is bad to CACHE/quarantine; the next run encodes just that again",
    )
    parser.add_argument(
        "--data",
        type=parse_source,
        metavar="FILE",
        help="encode texts of this file again, and compare them with what is stored",
    )
    options.add_options(parser, DataConfig, only=("text_column",))
    parser.add_argument(
        "--encoder",
        metavar="NAME",
        help="find spaces, too, that this encoder (a folder or a hub id) filled with other "
        "weights",
    )
    parser.add_argument(
        "--sample",
        type=int,
        metavar="N",
        help="compare N texts of --data in each space of that encoder (default: 64)",
    )
    options.add_options(parser, VectorConfig, only=("trust_remote_code",))


def run(parsed: argparse.Namespace) -> Answer:
    """Verify as the command's arguments ask."""
    from pipeline.cache.verification import SAMPLE, verify

    if parsed.sample is not None and (parsed.data is None or parsed.sample < 1):
        raise SettingError(
            f"--sample {parsed.sample} takes texts of --data, at least 1; name a file"
        )
    return answer(
        verify(
            parsed.cache,
            fix=parsed.fix,
            data=parsed.data,
            text_column=parsed.text_column,
            encoder=parsed.encoder,
            sample=parsed.sample or SAMPLE,
            trust_remote_code=parsed.trust_remote_code,
        )
    )
