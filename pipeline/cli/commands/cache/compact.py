"""``manyheads compact``: join small shards of the cache."""

from __future__ import annotations

import argparse

from pipeline.cli import options
from pipeline.cli.command import Answer, answer
from pipeline.config import VectorConfig


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads compact``."""
    options.add_options(parser, VectorConfig, only=("cache",))


def run(parsed: argparse.Namespace) -> Answer:
    """Compact every space of a cache."""
    from features.store.compaction import compact
    from features.store.inventory import folder_size, open_all
    from features.store.manifest import existing_cache
    from pipeline.cache.maintenance import Compacted, space_name

    cache = existing_cache(parsed.cache)
    before = folder_size(cache)
    done, names = {}, {}
    for space in open_all(cache):
        name = space.folder.name
        done[name] = compact(space)
        names[name] = space_name(space.model, space.spec)
    return answer(Compacted(cache, done, names, before, folder_size(cache)))
