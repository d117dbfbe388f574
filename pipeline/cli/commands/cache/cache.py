"""``manyheads cache``: list what the cache holds."""

from __future__ import annotations

import argparse

from pipeline.cli import options
from pipeline.cli.command import Answer, answer
from pipeline.config import VectorConfig


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads cache``."""
    options.add_options(parser, VectorConfig, only=("cache",))


def run(parsed: argparse.Namespace) -> Answer:
    """List a cache."""
    from features.store.inventory import folder_size, inventory
    from features.store.manifest import existing_cache
    from features.store.quarantine import QUARANTINE
    from pipeline.cache.maintenance import Listing

    cache = existing_cache(parsed.cache)
    return answer(Listing(cache, inventory(cache), folder_size(cache / QUARANTINE)))
