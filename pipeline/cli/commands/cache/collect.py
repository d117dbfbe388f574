"""``manyheads collect``: remove from the cache what no data set needs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from features.corpus.recognition.dialect import Dialect
from features.corpus.source import Source
from pipeline.cache.config import CollectConfig
from pipeline.cli import options
from pipeline.cli.command import Answer, answer
from pipeline.config import DataConfig, VectorConfig

if TYPE_CHECKING:
    import numpy as np


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads collect``."""
    options.add_options(parser, VectorConfig, only=("cache",))
    options.add_options(parser, CollectConfig)
    options.add_options(
        parser, DataConfig, only=("text_column", "delimiter", "encoding", "sheet")
    )


def run(parsed: argparse.Namespace) -> Answer:
    """Show, or with ``--yes`` remove, what no data set needs or is old."""
    from features.store.collection import collect, plan_collection
    from features.store.manifest import existing_cache
    from pipeline.cache.maintenance import Collected

    cache = existing_cache(parsed.cache)
    config = options.from_arguments(CollectConfig, parsed)
    dialect = options.from_arguments(Dialect, parsed)
    keep = _keys(config.data, parsed.text_column, dialect) if config.data else None
    older_than = config.day
    removals = plan_collection(cache, keep, older_than)
    if config.yes:
        collect(cache, removals, keep)
    return answer(Collected(cache, removals, config.yes))


def _keys(paths: Sequence[Source], text_column: str, dialect: Dialect) -> np.ndarray:
    import numpy as np

    from features.corpus.corpus import CorpusTexts
    from features.text.keys import text_keys
    from pipeline.corpora import say_reading

    parts = [
        text_keys(CorpusTexts(path, text_column, True, dialect, say_reading)) for path in paths
    ]
    return np.unique(np.concatenate(parts))
