"""Index: the shard and the position of every text of a space. Pure: bytes in, bytes out.

It is derived from the shards alone, so it can be deleted at any time. ``GrowingIndex`` is an
index to which shards can be added.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import pyarrow as pa

from features.arrow import column, values_of
from features.store.shards.shard import ShardRows, digest
from features.text.keys import KEY_BYTES

DIGEST_HEX = 32

MAX_RECENT = 1 << 14
"""Maximum texts in the side index of a ``GrowingIndex``, beside a share of the main one."""

FORMAT = "2"
"""Version of the index file; one of another version is ignored and rebuilt from the shards."""


@dataclass(frozen=True, eq=False)
class Index:
    """The shard and position of every text of a space: (n,) arrays, sorted by distinct key.

    Attributes:
        shards: names of the shards, without suffix.
        texts: number of texts per shard. If several shards hold the same text, the index
            refers to one of them, and the others have more texts than the index finds there.
        keys: ``S16``, the key of each text.
        shard: int32, position in ``shards``.
        start: int64, position of the text's first vector in its shard.
        length: int32, number of vectors of the text.
        tokens: int32, tokens of the text before truncation.
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

    @classmethod
    def of(cls, added: Sequence[tuple[str, ShardRows]]) -> Index:
        """Build the index of some shards; of a key in several of them the first counts."""
        if not added:
            return cls.empty()
        parts = [rows for _, rows in added]
        keys, first = np.unique(np.concatenate([r.keys for r in parts]), return_index=True)

        def picked(columns: Sequence[np.ndarray], dtype: type) -> np.ndarray:
            return np.concatenate(columns)[first].astype(dtype, copy=False)

        return cls(
            tuple(name for name, _ in added),
            tuple(len(r.keys) for r in parts),
            keys,
            picked([np.full(len(r.keys), n) for n, r in enumerate(parts)], np.int32),
            picked([np.cumsum(r.lengths, dtype=np.int64) - r.lengths for r in parts], np.int64),
            picked([r.lengths for r in parts], np.int32),
            picked([r.tokens for r in parts], np.int32),
        )

    def find(self, keys: np.ndarray) -> np.ndarray:
        """Return (N,) int64: the position of each key in the index, -1 if it is missing."""
        if not len(self.keys):
            return np.full(len(keys), -1, np.int64)
        position = np.minimum(self._position(keys), len(self.keys) - 1)
        return np.where(self.keys[position] == keys, position, -1)

    def _position(self, keys: np.ndarray) -> np.ndarray:
        """Return (N,) int64: how many keys of a non-empty index are smaller than each key."""
        beginnings = _beginnings(keys)
        position = np.searchsorted(self._beginnings, beginnings)
        at = np.minimum(position, len(self.keys) - 1)
        alike = (self._beginnings[at] == beginnings) & (self.keys[at] != keys)
        if alike.any():
            position[alike] = np.searchsorted(self.keys, keys[alike])
        return position

    @cached_property
    def _beginnings(self) -> np.ndarray:
        # Comparing integers is several times as fast as comparing byte strings.
        return _beginnings(self.keys)

    def joined(self, other: Index) -> Index:
        """Return the index with the shards of another. Known keys keep their position."""
        if not len(self.keys):
            position, fresh = (
                np.zeros(len(other.keys), np.int64),
                np.ones(len(other.keys), bool),
            )
        else:
            position = self._position(other.keys)
            at = np.minimum(position, len(self.keys) - 1)
            fresh = self.keys[at] != other.keys
        # Insertion needs one copy and no sort.
        inserted = position[fresh] + np.arange(fresh.sum())
        known = np.ones(len(self.keys) + len(inserted), bool)
        known[inserted] = False

        def merged(old: np.ndarray, new: np.ndarray) -> np.ndarray:
            out = np.empty(len(known), old.dtype)
            out[known] = old
            out[inserted] = new[fresh]
            return out

        return Index(
            (*self.shards, *other.shards),
            (*self.texts, *other.texts),
            merged(self.keys, other.keys),
            merged(self.shard, other.shard + np.int32(len(self.shards))),
            merged(self.start, other.start),
            merged(self.length, other.length),
            merged(self.tokens, other.tokens),
        )

    def without(self, gone: set[str]) -> Index:
        """Return the index without some shards, and renumber the others.

        A shard with a text that the index finds elsewhere is dropped too and must be read
        again, since that text may have been in one of the removed shards.
        """
        placed = np.bincount(self.shard, minlength=len(self.shards))
        remaining = [
            number
            for number, name in enumerate(self.shards)
            if name not in gone and placed[number] == self.texts[number]
        ]
        renumbered = np.full(len(self.shards), -1, np.int32)
        renumbered[remaining] = np.arange(len(remaining), dtype=np.int32)
        rows = np.isin(self.shard, remaining)
        return Index(
            tuple(self.shards[number] for number in remaining),
            tuple(self.texts[number] for number in remaining),
            self.keys[rows],
            renumbered[self.shard[rows]],
            self.start[rows],
            self.length[rows],
            self.tokens[rows],
        )

    def alike(self, other: Index) -> bool:
        """Return whether another index says the same, whatever the order of the shards."""
        if sorted(zip(self.shards, self.texts, strict=True)) != sorted(
            zip(other.shards, other.texts, strict=True)
        ):
            return False
        number = {name: place for place, name in enumerate(other.shards)}
        renumbered = np.array([number[name] for name in self.shards], np.int32)
        return np.array_equal(renumbered[self.shard], other.shard) and all(
            np.array_equal(getattr(self, name), getattr(other, name))
            for name in ("keys", "start", "length", "tokens")
        )

    def rows_by_shard(self) -> list[np.ndarray]:
        """Return, per shard, the sorted positions in the index of the texts found there."""
        return grouped(self.shard, len(self.shards))

    def to_bytes(self, fingerprint: str = "") -> memoryview:
        """Serialize to Arrow IPC bytes, preceded by their digest.

        Args:
            fingerprint: that of the space.
        """
        table = pa.table(
            {
                "key": column(self.keys),
                "shard": column(self.shard),
                "start": column(self.start),
                "length": column(self.length),
                "tokens": column(self.tokens),
            }
        ).replace_schema_metadata(
            {
                "format": FORMAT,
                "fingerprint": fingerprint,
                "shards": json.dumps([self.shards, self.texts]),
            }
        )
        counted = pa.MockOutputStream()
        _write(table, counted)
        # Allocated with its final size, so that it is not copied as it grows.
        data = memoryview(bytearray(DIGEST_HEX + counted.size()))
        _write(table, pa.FixedSizeBufferWriter(pa.py_buffer(data[DIGEST_HEX:])))
        data[:DIGEST_HEX] = digest(data[DIGEST_HEX:]).encode("ascii")
        return data

    @classmethod
    def from_bytes(cls, data: bytes | memoryview, fingerprint: str = "") -> Index | None:
        """Read an index; None if the bytes are damaged or of another version or space.

        Args:
            fingerprint: that of the space; indices of older versions have none and are
                accepted.
        """
        body = memoryview(data)[DIGEST_HEX:]
        if digest(body).encode("ascii") != data[:DIGEST_HEX]:
            return None
        try:
            options = pa.ipc.IpcReadOptions(use_threads=False)
            table = pa.ipc.open_file(pa.BufferReader(body), options=options).read_all()
            facts = table.schema.metadata or {}
            of = facts.get(b"fingerprint", b"").decode("ascii")
            if facts.get(b"format") != FORMAT.encode("ascii"):
                return None
            if of and fingerprint and of != fingerprint:
                return None
            columns = {name: table[name].combine_chunks() for name in table.column_names}
            keys = columns.pop("key")
            shards, texts = json.loads(facts[b"shards"])
            index = cls(
                tuple(shards),
                tuple(texts),
                np.frombuffer(keys.buffers()[1], f"S{KEY_BYTES}", count=len(keys)),
                **{name: values_of(column) for name, column in columns.items()},
            )
        except (pa.ArrowException, LookupError, TypeError, ValueError, RecursionError):
            return None
        return index if index._possible() else None

    def _possible(self) -> bool:
        """Return whether the numbers can be valid: equal lengths, positions in range."""
        if {len(getattr(self, field.name)) for field in fields(self)[2:]} != {len(self.keys)}:
            return False
        if len(self.texts) != len(self.shards):
            return False
        return not len(self.keys) or bool(
            0 <= self.shard.min() <= self.shard.max() < len(self.shards)
            and self.start.min() >= 0
            and self.length.min() >= 1
        )


class GrowingIndex:
    """An index that can grow while it is queried: new shards go into a small side index first.

    The side index is merged into the main one when it is large enough, so the cost of a commit
    does not grow with the number of texts.

    Args:
        index: the main index at the start.
        max_recent: maximum texts in the side index, plus a 16th of those in the main one.

    Attributes:
        names: those of all shards in the index.
    """

    def __init__(self, index: Index, max_recent: int = MAX_RECENT) -> None:
        self._max_recent = max_recent
        self._settled, self._recent = index, Index.empty()
        self.names = set(index.shards)

    @property
    def whole(self) -> Index:
        """Main and side index, merged."""
        if self._recent.shards:
            self._settled = self._settled.joined(self._recent)
            self._recent = Index.empty()
        return self._settled

    def missing(self, keys: np.ndarray) -> np.ndarray:
        """Return (N,) bool: which keys are not in the index."""
        missing: np.ndarray = (self._settled.find(keys) < 0) & (self._recent.find(keys) < 0)
        return missing

    def add(self, added: Sequence[tuple[str, ShardRows]]) -> None:
        """Add shards. Known keys keep their position."""
        if added:
            self._recent = self._recent.joined(Index.of(added))
            self.names.update(name for name, _ in added)
            if len(self._recent.keys) > self._max_recent + len(self._settled.keys) // 16:
                _ = self.whole

    def remove(self, gone: set[str]) -> None:
        """Remove shards, as ``Index.without`` does."""
        self._settled = self.whole.without(gone)
        self.names = set(self._settled.shards)


def grouped(numbers: np.ndarray, count: int) -> list[np.ndarray]:
    """Return, for each value of ``range(count)``, the sorted positions at which it occurs.

    Args:
        numbers: (n,) integers from 0 to ``count`` - 1.
    """
    order = np.argsort(numbers, kind="stable")
    bounds = np.searchsorted(numbers[order], np.arange(1, count))
    return np.split(order, bounds)


def _beginnings(keys: np.ndarray) -> np.ndarray:
    """Return (n,) uint64: the first 8 bytes of each key, which mostly decide the order."""
    halves = np.ascontiguousarray(keys).view(">u8")[:: KEY_BYTES // 8]
    return halves.astype(np.uint64)


def _write(table: pa.Table, sink: pa.NativeFile) -> None:
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
