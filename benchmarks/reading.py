"""Warm paths: token shards into NumPy against ``np.load``; a cached ``manyheads features``."""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.measure import Result, in_turn
from features.model import find_model
from features.shard import Block
from features.spec import text_keys
from features.store import FeatureStore, Space
from pipeline.config import VectorConfig
from pipeline.vectors import open_spaces

SHARD_TEXTS = 2048


def fill(space: Space, texts: list[str], mean_tokens: int) -> None:
    """Commit made-up vectors for texts, in shards as encoding makes them."""
    rng = np.random.default_rng(0)
    pooled = space.spec.layout == "pooled"
    for start in range(0, len(texts), SHARD_TEXTS):
        some = texts[start : start + SHARD_TEXTS]
        low = max(1, mean_tokens // 2)
        tokens = rng.integers(low, 2 * mean_tokens - low + 1, len(some)).astype(np.int32)
        lengths = np.ones(len(some), np.int32) if pooled else tokens
        shape = (int(lengths.sum()), space.spec.width)
        values = rng.standard_normal(shape, dtype=np.float32).astype(space.spec.dtype)
        space.commit(text_keys(some), Block(tokens, lengths, values))
    space.save_index()


def token_shards(rounds: int) -> Result:
    """Every token vector of 16,000 texts, checked and in corpus order, as one array."""
    texts = [f"made-up text {i}" for i in range(16_000)]
    with tempfile.TemporaryDirectory() as folder:
        space = FeatureStore(folder).space(find_model().spec("tokens"))
        fill(space, texts, 28)
        keys = text_keys(texts)
        table = space.table(keys)
        path = Path(folder) / "same.npy"
        np.save(path, table.values)
        size = table.values.nbytes
        del table
        ours, theirs = in_turn(rounds, lambda: space.table(keys), lambda: np.load(path))
    notes = {"GB": size / 1e9, "GB/s": size / ours / 1e9, "np.load GB/s": size / theirs / 1e9}
    return Result(
        "reading token shards against np.load of the same bytes", ours, theirs, 0.6, notes
    )


def warm_features(rounds: int, texts: int = 20_000, goal: float = 1.5) -> Result:
    """A fully cached ``manyheads features``, as a command: start, read, plan, report."""
    corpus = [
        f"a made-up text about nothing, number {i}, of usual length" for i in range(texts)
    ]
    with tempfile.TemporaryDirectory() as folder:
        cache, data = Path(folder) / "cache", Path(folder) / "data.csv"
        for space in open_spaces(VectorConfig(cache=cache), ("pooled", "tokens"), find_model()):
            fill(space, corpus, 2)
        with data.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["text"], *([text] for text in corpus)])
        code = (
            "import sys; from pipeline.cli import main; code = main(); "
            "sys.exit(code or 9 * ('torch' in sys.modules))"
        )
        command = [
            sys.executable,
            "-c",
            code,
            "features",
            "--data",
            str(data),
            "--cache",
            str(cache),
        ]
        seconds = []
        for _ in range(rounds):
            start = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            seconds.append(time.perf_counter() - start)
            if "all cached" not in done.stderr:
                raise RuntimeError(f"the cache was not warm: {done.stderr}")
    return Result(
        f"manyheads features over {texts:,} cached texts, without torch",
        float(np.median(seconds)),
        None,
        goal,
    )
