"""What a text and a shard cost those who plan and look up: the constants of docs/scale.md.

    python -m benchmarks.ray.constants [--texts 10000000]

Everything is measured in this process, on one core and a local disk. Seconds and bytes are per
text or per shard.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.ray.fakes import open_space, vectors_of
from features.store.index import Index
from features.store.shards.shard import ShardRows
from features.text.keys import text_keys

UNIT = 2048
NAMES = 100_000
"""Files to list."""

SHARDS = 50
"""Shards to commit."""


def index_of(texts: int) -> Index:
    """Return the index of random keys, in shards of a unit."""
    rng = np.random.default_rng(0)
    keys = np.frombuffer(rng.bytes(16 * texts), "S16")
    ones = np.ones(texts, np.int32)
    return Index.of([("0" * 32, ShardRows(keys, ones, ones))])


def measure(texts: int) -> dict[str, float]:
    """Return seconds and bytes, by what they are for."""
    found: dict[str, float] = {}

    def note(name: str, start: float, count: int) -> None:
        found[name] = (time.perf_counter() - start) / count

    index = index_of(texts)
    mixed = np.random.default_rng(1).permutation(index.keys)
    start = time.perf_counter()
    np.unique(mixed, return_index=True)
    note("distinct_seconds_per_text", start, texts)
    start = time.perf_counter()
    data = index.to_bytes("f")
    note("index_write_seconds_per_text", start, texts)
    found["index_bytes_per_text"] = len(data) / texts
    start = time.perf_counter()
    loaded = Index.from_bytes(data, "f")
    assert loaded is not None
    loaded.find(index.keys[:1])
    note("index_load_seconds_per_text", start, texts)
    asked = mixed[: min(texts, 10**6)]
    start = time.perf_counter()
    for at in range(0, len(asked), UNIT):
        loaded.find(asked[at : at + UNIT])
    note("lookup_seconds_per_text", start, len(asked))
    some = [f"a made-up text about nothing much at all, number {i}" for i in range(10**6)]
    start = time.perf_counter()
    text_keys(some)
    note("key_seconds_per_text", start, len(some))
    with tempfile.TemporaryDirectory() as folder:
        space = open_space(Path(folder) / "cache")
        start = time.perf_counter()
        for number in range(SHARDS):
            part = some[number * UNIT : (number + 1) * UNIT]
            space.commit(text_keys(part), vectors_of(part))
        note("commit_seconds_per_shard", start, SHARDS)
        start = time.perf_counter()
        type(space)(space.folder, space.spec)
        note("read_keys_seconds_per_shard", start, SHARDS)
        names = Path(folder) / "names"
        names.mkdir()
        for number in range(NAMES):
            (names / f"{number:032x}.parquet").touch()
        start = time.perf_counter()
        os.listdir(names)
        note("list_seconds_per_shard", start, NAMES)
    return found


def main() -> None:
    """Print the constants as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--texts", type=int, default=10_000_000)
    found = measure(parser.parse_args().texts)
    print(json.dumps({name: float(f"{value:.3g}") for name, value in found.items()}, indent=1))


if __name__ == "__main__":
    main()
