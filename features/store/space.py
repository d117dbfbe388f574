"""FeatureStore: which texts' vectors exist, where they lie, and how new ones are committed.

    CACHE/<fingerprint>/space.json          the spec and the encoder's name, for people
    CACHE/<fingerprint>/<digest>.parquet    immutable shards
    CACHE/<fingerprint>/index.arrow         derived; may be deleted at any time

A shard appears by an atomic rename after fsync: its existence is its commit. There is no
lock, so any number of processes can write side by side. The index is trusted only with its
own digest and only for shards that exist; for all others the shards themselves are read.
A shard may vanish under a reader, joined into a larger one by ``compact``: the reader looks
at the folder once more and finds the texts where they are now.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from features.errors import CacheError, DiskSpaceError, RemoteError
from features.storage.buffers import VectorBuffer
from features.storage.files import (
    file_names,
    make_folder,
    put,
    read_file,
    reading,
    sweep,
)
from features.storage.location import Location
from features.storage.mirror import evict, local_folder, store_local
from features.store.index import GrowingIndex, Index, grouped
from features.store.manifest import SPACE_NAME, SpaceManifest, read_manifest, touch
from features.store.shards.shard import (
    NAME,
    SUFFIX,
    Shard,
    ShardRows,
    digest,
    read_rows,
    serialize,
)
from features.vectors.block import Block
from features.vectors.precision import table_dtype, unpack
from features.vectors.spec import FeatureSpec
from features.vectors.table import POOLED, FeatureTable

INDEX_NAME = "index.arrow"
READ_ATTEMPTS = 4
HELD_SHARDS = 200
"""Shards that stay open while ``held``: each takes one of the process' open files."""

READERS = max(2, min(4, os.cpu_count() or 1))
"""Threads that read shards: hashing and copying release the interpreter lock."""


class Space:
    """The vectors of one spec: what exists, commit, read.

    Args:
        folder: ``CACHE/<fingerprint>``; need not exist yet.
        spec: what a vector here is.
        model: the encoder's name, for people; kept when the space is new.

    Attributes:
        committed: names of the shards that were committed through this object, in order.

    Raises:
        CacheError: the folder cannot be read, or holds another space than its name says.
    """

    def __init__(self, folder: Location, spec: FeatureSpec, model: str = "") -> None:
        self.folder = folder
        self.spec = spec
        self.model = model
        self.committed: list[str] = []
        self._held: dict[str, Shard] | None = None
        self._check_card()
        saved = self._saved_index()
        self._saved_shards = None if saved is None else set(saved.shards)
        self._growing = GrowingIndex(saved or Index.empty())
        self.refresh()

    def missing(self, keys: np.ndarray) -> np.ndarray:
        """Return (N,) bool: which keys have no vector here."""
        return self._growing.lacks(keys)

    def __len__(self) -> int:
        return len(self.index.keys)

    def tokens(self, keys: np.ndarray) -> np.ndarray:
        """Return (N,) int32: tokens of each whole text, before truncation; all must be
        cached."""
        tokens: np.ndarray = self.index.tokens[self._found(keys)]
        return tokens

    def lengths(self, keys: np.ndarray) -> np.ndarray:
        """Return (N,) int32: how many vectors each text has here; all must be cached."""
        lengths: np.ndarray = self.index.length[self._found(keys)]
        return lengths

    @property
    def index(self) -> Index:
        """Where every key lies, as of the last look."""
        return self._growing.whole

    def refresh(self) -> bool:
        """Take in the shards that other processes committed or removed since the last look.

        Returns:
            Whether there were any: another process is at work in this space.
        """
        changed = False
        for _ in range(READ_ATTEMPTS):
            vanished, added = self._look()
            changed |= vanished or added
            if not vanished:
                break
            # They were joined into another one, for which the listing may have been too early.
        return changed

    def _look(self) -> tuple[bool, bool]:
        """Take in one listing of the folder: whether shards vanished, and whether some came."""
        present = self.shard_names()
        gone = set(self._growing.shards) - present
        for name in gone:
            evict(self.folder / f"{name}{SUFFIX}")
        if gone:
            self._growing.remove(gone)
        added = []
        for name in sorted(present - set(self._growing.shards)):
            try:
                added.append((name, self._rows(name)))
            except FileNotFoundError:  # removed since the listing
                gone.add(name)
        self._growing.add(added)
        return bool(gone), bool(added)

    def _rows(self, name: str) -> ShardRows:
        path = self.folder / f"{name}{SUFFIX}"
        spec, rows = read_rows(path)
        self._check_spec(path, spec)
        return rows

    def _check_spec(self, path: Location, spec: FeatureSpec) -> None:
        if spec != self.spec:
            raise CacheError(
                f"the shard {path} belongs to the space {spec.fingerprint}, not to this one: "
                "it was moved here; run 'manyheads verify --fix' on this cache, or move it back"
            )

    def _check_card(self) -> None:
        try:
            with reading(self.folder):
                read_manifest(self.folder)
        except FileNotFoundError:  # a new space
            return
        except ValueError as error:
            raise CacheError(
                f"{self.folder / SPACE_NAME} is not the card of this space ({error}); run "
                "'manyheads verify --fix' on this cache: what is sound is kept"
            ) from error

    def commit(self, keys: np.ndarray, block: Block) -> bool:
        """Write texts' vectors as one shard; when this returns, they survive a power cut.

        Args:
            keys: (n,) ``S16``, in the order of the block.

        Returns:
            False where another process had committed the very same shard.

        Raises:
            DiskSpaceError: the disk is full. What was committed before stays.
            CacheError: the folder cannot be written.
        """
        data = serialize(self.spec, keys, block)
        return self._commit(digest(data), data, ShardRows(keys, block.tokens, block.lengths))

    def commit_bytes(self, data: bytes, rows: ShardRows) -> str:
        """Commit a shard that was serialized already, and return its name."""
        name = digest(data)
        self._commit(name, data, rows)
        return name

    def _commit(self, name: str, data: bytes, rows: ShardRows) -> bool:
        self.lay_card()
        path = self.folder / f"{name}{SUFFIX}"
        fresh = not path.exists()
        if fresh:
            put(self.folder, path.name, data)
            store_local(path, data)
            self.lay_card()  # again: whoever tidies may have taken this for an empty space
        if name not in self._growing.shards:
            self._growing.add([(name, rows)])
        self.committed.append(name)
        return fresh

    def lay_card(self) -> None:
        """Write the card, and make the folder, where they are missing."""
        if not (self.folder / SPACE_NAME).exists():
            make_folder(self.folder)
            put(self.folder, SPACE_NAME, SpaceManifest(self.spec, self.model).to_bytes())

    def sweep(self) -> int:
        """Remove what writers that died left behind; how many files that were."""
        return sweep(self.folder)

    def save_index(self, required: bool = False) -> None:
        """Write the derived index, so that the next run need not read the shards' keys.

        Args:
            required: raise where it cannot be written, though nothing was committed here. A
                cache that may only be read is otherwise left without.
        """
        for _ in range(READ_ATTEMPTS):
            self.refresh()
            if not self.stale:
                return
            shards = set(self._growing.shards)
            try:
                put(self.folder, INDEX_NAME, self.index.to_bytes(self.folder.name))
            except (CacheError, DiskSpaceError, RemoteError):
                if required or self.committed:
                    raise
                return
            self._saved_shards = shards
            if shards <= self.shard_names():  # else some were removed since the look
                return

    @property
    def stale(self) -> bool:
        """Whether the saved index knows other shards than this object does."""
        return set(self._growing.shards) != (self._saved_shards or set())

    def drop_index(self) -> None:
        """Remove the derived index, before shards are: it must never name what was removed."""
        (self.folder / INDEX_NAME).unlink(missing_ok=True)
        self._saved_shards = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep shards open once they were checked, while the block runs."""
        self._held = {}
        try:
            yield
        finally:
            self._held = None

    def table(self, keys: np.ndarray, memory: int | None = None) -> FeatureTable:
        """Return the vectors of texts, in the order of their keys; every shard's digest is
        checked.

        Args:
            keys: (N,) ``S16``; all must be cached, repeats are allowed.
            memory: bytes that the vectors may take of it, by default half of what is
                available; where they are more, ``values`` stands in a nameless file.

        Raises:
            CorruptShardError: a shard does not match its digest.
            CacheError: some text is not cached.
            DiskSpaceError: the vectors fit neither in memory nor on the disk.
        """
        touch(self.folder)
        for _ in range(READ_ATTEMPTS):
            found = self._found(keys)
            try:
                return self._read(found, memory)
            except FileNotFoundError:
                self.refresh()
        raise CacheError(
            f"shards of {self.folder} vanish while they are read: another process is removing "
            "them; run again when it has finished"
        )

    def _read(self, found: np.ndarray, memory: int | None) -> FeatureTable:
        """Return the table of texts by their places in the index."""
        lengths = self.index.length[found].astype(np.int64)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        width = self.spec.bytes_per_vector
        # int8 stands beside the float16 that it becomes, until all of it is unpacked.
        values_size = self.spec.width * np.dtype(table_dtype(self.spec.dtype)).itemsize
        each = width + values_size if self.spec.dtype == "int8" else width
        room = VectorBuffer(int(offsets[-1]) * each, memory, local_folder(self.folder))
        raw = room.empty((int(offsets[-1]),), f"V{width}")
        parts = grouped(self.index.shard[found], len(self.index.shards))

        def fill(number: int) -> None:
            rows = parts[number]
            self._copy_runs(raw, number, rows, offsets[rows], found[rows])
            room.release()

        with ThreadPoolExecutor(READERS) as pool:
            list(pool.map(fill, [n for n, rows in enumerate(parts) if len(rows)]))
        values = unpack(raw, self.spec.dtype, self.spec.width, room.empty)
        values.flags.writeable = room.in_memory
        return FeatureTable(values, offsets, self.spec.layout)

    def _copy_runs(
        self, out: np.ndarray, number: int, rows: np.ndarray, to: np.ndarray, found: np.ndarray
    ) -> None:
        """Copy the vectors of some texts of one shard, neighbours on both sides in one piece.

        Args:
            out: (total,) void, the vectors of the whole table.
            rows: (n,) positions of the texts in the table, rising.
            to: (n,) where each text's vectors begin in ``out``.
            found: (n,) where each text stands in the index.
        """
        shard = self.shard(self.index.shards[number])
        source = shard.vectors(self.spec.bytes_per_vector)
        start, length = self.index.start[found], self.index.length[found].astype(np.int64)
        if (start + length).max() > len(source):
            raise CacheError(
                f"{self.folder / INDEX_NAME} does not fit the shard {shard.path}; delete that "
                "file: it is derived from the shards, and written anew"
            )
        joined = (rows[1:] == rows[:-1] + 1) & (start[1:] == start[:-1] + length[:-1])
        heads = np.flatnonzero(np.concatenate([[True], ~joined]))
        counts = np.add.reduceat(length, heads)
        for a, b, count in zip(
            to[heads].tolist(), start[heads].tolist(), counts.tolist(), strict=True
        ):
            out[a : a + count] = source[b : b + count]

    def shard(self, name: str) -> Shard:
        """Return a shard of this space, checked. Raises as ``Shard``, and as ``table``."""
        held = self._held or {}
        if name in held:
            return held[name]
        shard = Shard(self.folder / f"{name}{SUFFIX}")
        self._check_spec(shard.path, shard.spec())
        if self._held is not None and shard.mapped and len(held) < HELD_SHARDS:
            self._held[name] = shard
        return shard

    def _found(self, keys: np.ndarray) -> np.ndarray:
        found = self.index.find(keys)
        if len(found) and found.min() < 0:
            raise CacheError(
                f"{int((found < 0).sum())} of {len(keys)} texts have no vectors in "
                f"{self.folder}; encode them first (manyheads features), or run again if they "
                "were removed meanwhile"
            )
        return found

    def shard_names(self) -> set[str]:
        """Return names of the shards that exist now. Raises ``CacheError``: cannot be read."""
        try:
            with reading(self.folder):
                names = file_names(self.folder)
        except FileNotFoundError:
            return set()
        found = (name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX))
        return {name for name in found if NAME.fullmatch(name)}

    def _saved_index(self) -> Index | None:
        try:
            data = read_file(self.folder / INDEX_NAME)
        except (OSError, ValueError):
            return None
        index = Index.from_bytes(data, self.folder.name)
        if index and self.spec.layout == POOLED and (index.length != 1).any():
            return None
        return index


def lacking(keys: np.ndarray, spaces: Sequence[Space]) -> np.ndarray:
    """Return (n, spaces) bool: which spaces lack the vectors of each text."""
    absent = np.array([space.missing(keys) for space in spaces], bool)
    return absent.reshape(len(spaces), len(keys)).T
