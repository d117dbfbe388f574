"""``manyheads collect``: remove from the cache what no data set needs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from features.corpus.source import Source, parse_source
from features.errors import SettingError
from pipeline.cli import options
from pipeline.cli.command import Answer, answer
from pipeline.config import DataConfig, VectorConfig

if TYPE_CHECKING:
    import numpy as np


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads collect``."""
    options.add_options(parser, VectorConfig, only=("cache",))
    parser.add_argument(
        "--data",
        type=parse_source,
        nargs="+",
        action="extend",
        metavar="FILE",
        help="keep what these data sets need: name all; texts in none of them go",
    )
    options.add_options(parser, DataConfig, only=("text_column",))
    parser.add_argument(
        "--older-than",
        metavar="DATE",
        help="remove spaces that were last used before this day, such as 2026-01-31, whole",
    )
    parser.add_argument(
        "--yes", action="store_true", help="do it; without it only what would go is shown"
    )


def run(parsed: argparse.Namespace) -> Answer:
    """Show, or with ``--yes`` remove, what no data set needs or is old."""
    from features.store.collection import collect, plan_collection
    from features.store.manifest import existing_cache
    from pipeline.cache.maintenance import Collected

    cache = existing_cache(parsed.cache)
    if not parsed.data and not parsed.older_than:
        raise SettingError(
            "collect needs to know what may go: give --data FILE... (all data sets that are "
            "still needed), --older-than DATE, or both"
        )
    keep = _keys(parsed.data, parsed.text_column) if parsed.data else None
    older_than = _day(parsed.older_than) if parsed.older_than else None
    removals = plan_collection(cache, keep, older_than)
    if parsed.yes:
        collect(cache, removals, keep)
    return answer(Collected(cache, removals, parsed.yes))


def _keys(paths: Sequence[Source], text_column: str) -> np.ndarray:
    import numpy as np

    from features.corpus.corpus import CorpusTexts
    from features.text import text_keys

    parts = [text_keys(CorpusTexts(path, text_column, skip_empty=True)) for path in paths]
    return np.unique(np.concatenate(parts))


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise SettingError(
            f"--older-than takes a day such as 2026-01-31; got {text!r}"
        ) from None
