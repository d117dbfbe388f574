"""``manyheads verify``, ``cache``, ``compact`` and ``collect``: look after a cache."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from features.corpus.source import Source, parse_source
from features.errors import SettingError
from pipeline.cli import options
from pipeline.cli.command import Answer, answer

if TYPE_CHECKING:
    import numpy as np


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
        type=parse_source,
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


def cache_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads cache`` and ``manyheads compact``."""
    options.cache_option(parser)


def collect_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads collect``."""
    options.cache_option(parser)
    parser.add_argument(
        "--data",
        type=parse_source,
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


def run_verify(parsed: argparse.Namespace) -> Answer:
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


def run_cache(parsed: argparse.Namespace) -> Answer:
    """List a cache."""
    from features.store.inventory import folder_size, inventory
    from features.store.manifest import existing_cache
    from features.store.quarantine import QUARANTINE
    from pipeline.cache.maintenance import Listing

    cache = existing_cache(parsed.cache)
    return answer(Listing(cache, inventory(cache), folder_size(cache / QUARANTINE)))


def run_compact(parsed: argparse.Namespace) -> Answer:
    """Compact every space of a cache."""
    from features.store.compaction import compact
    from features.store.inventory import folder_size, open_all
    from features.store.manifest import existing_cache
    from pipeline.cache.maintenance import Compacted

    cache = existing_cache(parsed.cache)
    before = folder_size(cache)
    spaces = {space.folder.name: compact(space) for space in open_all(cache)}
    return answer(Compacted(cache, spaces, before, folder_size(cache)))


def run_collect(parsed: argparse.Namespace) -> Answer:
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
