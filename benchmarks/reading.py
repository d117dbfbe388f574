"""Reading token shards into NumPy, against ``np.load`` of the same bytes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measure import Result, in_turn
from features.encoders.description.model import find_model
from features.store.space import Space
from features.store.store import FeatureStore
from features.text.keys import text_keys
from features.vectors.block import Block

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


def token_shards(rounds: int, count: int) -> Result:
    """Every token vector of many texts, checked and in corpus order, as one array."""
    texts = [f"made-up text {i}" for i in range(count)]
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
