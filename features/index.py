"""Index: where the vectors of every key of a space lie. Pure: bytes in, bytes out.

It is derived from the shards alone, so it can be deleted at any time.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from features.shard import ShardRows, digest
from features.spec import KEY_BYTES

DIGEST_HEX = 32

FORMAT = "2"
"""Version of the index file; one of another version is drawn anew from the shards."""


@dataclass(frozen=True, eq=False)
class Index:
    """Where every key of a space lies. Arrays are (n,), sorted by key, keys distinct.

    Attributes:
        shards: names of the shards, without suffix.
        texts: number of texts that each shard holds; more than the index places there where
            several shards hold the same text.
        keys: ``S16``.
        shard: int32, position in ``shards``.
        start: int64, the text's first vector in its shard.
        length: int32, its number of vectors.
        tokens: int32, tokens of the whole text before truncation.
    """

    shards: tuple[str, ...]
    texts: tuple[int, ...]
    keys: np.ndarray
    shard: np.ndarray
    start: np.ndarray
    length: np.ndarray
    tokens: np.ndarray

    @classmethod
    def empty(cls) -> Index:
        return cls(
            (),
            (),
            np.empty(0, f"S{KEY_BYTES}"),
            np.empty(0, np.int32),
            np.empty(0, np.int64),
            np.empty(0, np.int32),
            np.empty(0, np.int32),
        )

    def find(self, keys: np.ndarray) -> np.ndarray:
        """(N,) int64: the position of each key in the index, -1 where it is missing."""
        if not len(self.keys):
            return np.full(len(keys), -1, np.int64)
        position = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[position] == keys, position, -1)

    def with_shard(self, name: str, rows: ShardRows) -> Index:
        """The index with one more shard. Keys that it knows already keep their place."""
        return self.with_shards([(name, rows)])

    def with_shards(self, added: Sequence[tuple[str, ShardRows]]) -> Index:
        """The index with more shards; of keys in several of them the first place counts."""
        if not added:
            return self
        parts = [rows for _, rows in added]
        keys, first = np.unique(np.concatenate([r.keys for r in parts]), return_index=True)
        fresh = self.find(keys) < 0
        place = np.searchsorted(self.keys, keys[fresh])
        numbers = np.arange(len(self.shards), len(self.shards) + len(added))
        starts = [np.cumsum(r.lengths, dtype=np.int64) - r.lengths for r in parts]

        def merged(old: np.ndarray, new: Sequence[np.ndarray]) -> np.ndarray:
            # Inserted, not sorted again: a commit costs one copy of the index.
            picked = np.concatenate(new)[first][fresh].astype(old.dtype, copy=False)
            return np.insert(old, place, picked)

        return Index(
            (*self.shards, *(name for name, _ in added)),
            (*self.texts, *(len(rows.keys) for rows in parts)),
            np.insert(self.keys, place, keys[fresh]),
            merged(
                self.shard,
                [np.full(len(r.keys), n) for r, n in zip(parts, numbers, strict=True)],
            ),
            merged(self.start, starts),
            merged(self.length, [r.lengths for r in parts]),
            merged(self.tokens, [r.tokens for r in parts]),
        )

    def without(self, gone: set[str]) -> Index:
        """The index without some shards; the numbers of the others are drawn anew.

        Shards that hold a text placed elsewhere are forgotten too: they must be read again,
        because that text may have been placed in a shard that is gone.
        """
        placed = np.bincount(self.shard, minlength=len(self.shards))
        kept = [
            number
            for number, name in enumerate(self.shards)
            if name not in gone and placed[number] == self.texts[number]
        ]
        renumbered = np.full(len(self.shards), -1, np.int32)
        renumbered[kept] = np.arange(len(kept), dtype=np.int32)
        rows = np.isin(self.shard, kept)
        return Index(
            tuple(self.shards[number] for number in kept),
            tuple(self.texts[number] for number in kept),
            self.keys[rows],
            renumbered[self.shard[rows]],
            self.start[rows],
            self.length[rows],
            self.tokens[rows],
        )

    def to_bytes(self) -> bytes:
        """Arrow IPC bytes with their own digest in front."""
        key_array = pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(KEY_BYTES),
            len(self.keys),
            [None, pa.py_buffer(np.ascontiguousarray(self.keys))],
        )
        table = pa.table(
            {
                "key": key_array,
                "shard": self.shard,
                "start": self.start,
                "length": self.length,
                "tokens": self.tokens,
            }
        ).replace_schema_metadata(
            {"format": FORMAT, "shards": json.dumps([self.shards, self.texts])}
        )
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        body: bytes = sink.getvalue().to_pybytes()
        return digest(body).encode("ascii") + body

    @classmethod
    def from_bytes(cls, data: bytes) -> Index | None:
        """The index, or None where the bytes are damaged or another version wrote them."""
        body = memoryview(data)[DIGEST_HEX:]
        if digest(body).encode("ascii") != data[:DIGEST_HEX]:
            return None
        table = pa.ipc.open_file(pa.BufferReader(body)).read_all()
        if (table.schema.metadata or {}).get(b"format") != FORMAT.encode("ascii"):
            return None
        columns = {name: table[name].combine_chunks() for name in table.column_names}
        keys = columns.pop("key")
        shards, texts = json.loads(table.schema.metadata[b"shards"])
        return cls(
            tuple(shards),
            tuple(texts),
            np.frombuffer(keys.buffers()[1], f"S{KEY_BYTES}", count=len(keys)),
            **{name: column.to_numpy() for name, column in columns.items()},
        )
