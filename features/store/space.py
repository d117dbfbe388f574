"""Space: which texts have vectors, where these are, and how new ones are committed.

    CACHE/<fingerprint>/space.json          the manifest: spec and encoder's name
    CACHE/<fingerprint>/<digest>.parquet    immutable shards
    CACHE/<fingerprint>/index.arrow         derived; may be deleted at any time

A shard appears by an atomic rename after fsync: once it exists, it is committed. Writing needs
no lock, so any number of processes can write at the same time. The index is used only if its
own digest matches, and only for shards that exist; all other shards are read directly. If
``compact`` joins shards while a reader uses them, the reader lists the folder again and finds
the texts in the joined shard.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from features.errors import CacheError, DiskSpaceError, RemoteError
from features.storage.buffers import VectorBuffer
from features.storage.files import reading
from features.storage.location import Location
from features.storage.storage import storage_of
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
MAX_OPEN_SHARDS = 200
"""Maximum shards that ``keep_open`` keeps open; each takes one of the process's open files."""

READERS = max(2, min(4, os.cpu_count() or 1))
"""Threads that read shards; hashing and copying run in parallel."""

KEY_READERS = 8
"""Threads that read the keys of new shards, which on object storage is mostly waiting."""


class Space:
    """The vectors of one spec: query, commit, read.

    Args:
        folder: ``CACHE/<fingerprint>``; need not exist yet.
        spec: what determines the vectors.
        model: the encoder's name, recorded when the space is new.

    Attributes:
        storage: where the folder lies.
        committed: names of the shards that were committed through this object, in order.
        keeps_copies: whether shards that are committed to object storage are kept here too.

    Raises:
        CacheError: the folder cannot be read, or holds another space.
    """

    keeps_copies = True

    def __init__(self, folder: Location, spec: FeatureSpec, model: str = "") -> None:
        self.folder = folder
        self.storage = storage_of(folder)
        self.spec = spec
        self.model = model
        self.committed: list[str] = []
        self._open_shards: dict[str, Shard] | None = None
        self._check_manifest()
        saved = self._saved_index()
        self._saved_shards = None if saved is None else set(saved.shards)
        self._growing = GrowingIndex(saved or Index.empty())
        self.refresh()

    def missing(self, keys: np.ndarray) -> np.ndarray:
        """Return (N,) bool: which keys have no vectors here."""
        return self._growing.missing(keys)

    def __len__(self) -> int:
        return len(self.index.keys)

    def tokens(self, keys: np.ndarray) -> np.ndarray:
        """Return (N,) int32: tokens of each text before truncation; all must be cached."""
        tokens: np.ndarray = self.index.tokens[self._found(keys)]
        return tokens

    def lengths(self, keys: np.ndarray) -> np.ndarray:
        """Return (N,) int32: number of vectors of each text; all must be cached."""
        lengths: np.ndarray = self.index.length[self._found(keys)]
        return lengths

    @property
    def index(self) -> Index:
        """The index as of the last listing of the folder."""
        return self._growing.whole

    def refresh(self) -> bool:
        """Add and remove the shards that other processes committed or removed meanwhile.

        Returns:
            Whether there were any, which shows that another process uses this space.
        """
        changed = False
        for _ in range(READ_ATTEMPTS):
            vanished, added = self._look()
            changed |= vanished or added
            if not vanished:
                break
            # They were joined into a shard that this listing may not show yet.
        return changed

    def _look(self) -> tuple[bool, bool]:
        """List the folder once; return whether shards vanished, and whether some were added."""
        present = self.shard_names()
        gone = self._growing.names - present
        for name in gone:
            self.storage.evict(f"{name}{SUFFIX}")
        if gone:
            self._growing.remove(gone)
        fresh = sorted(present - self._growing.names)
        with ThreadPoolExecutor(KEY_READERS) as pool:  # starts a thread only if there is work
            found = list(zip(fresh, pool.map(self._rows, fresh), strict=True))
        added = [(name, rows) for name, rows in found if rows is not None]
        gone.update(name for name, rows in found if rows is None)
        self._growing.add(added)
        return bool(gone), bool(added)

    def _rows(self, name: str) -> ShardRows | None:
        """Return the keys of a shard; None if it was removed since the folder was listed."""
        path = self.folder / f"{name}{SUFFIX}"
        try:
            spec, rows = read_rows(path)
        except FileNotFoundError:
            return None
        self._check_spec(path, spec)
        return rows

    def _check_spec(self, path: Location, spec: FeatureSpec) -> None:
        if spec != self.spec:
            raise CacheError(
                f"the shard {path} belongs to the space {spec.fingerprint}, not to this one: "
                "it was moved here; run 'manyheads verify --fix' on this cache, or move it back"
            )

    def _check_manifest(self) -> None:
        try:
            with reading(self.folder):
                read_manifest(self.folder)
        except FileNotFoundError:  # a new space
            return
        except ValueError as error:
            raise CacheError(
                f"{self.folder / SPACE_NAME} is not the manifest of this space ({error}); run "
                "'manyheads verify --fix' on this cache: sound shards stay"
            ) from error

    def commit(self, keys: np.ndarray, block: Block) -> bool:
        """Write the vectors of some texts as one shard, durably.

        Args:
            keys: (n,) ``S16``, in the order of the block.
            block: the vectors of the n texts.

        Returns:
            False if another process had committed the very same shard.

        Raises:
            DiskSpaceError: the disk is full. Earlier commits are not affected.
            CacheError: the folder cannot be written.
        """
        data = serialize(self.spec, keys, block)
        return self._commit(digest(data), data, ShardRows(keys, block.tokens, block.lengths))

    def commit_bytes(self, data: bytes, rows: ShardRows) -> str:
        """Commit a serialized shard, and return its name."""
        name = digest(data)
        self._commit(name, data, rows)
        return name

    def _commit(self, name: str, data: bytes, rows: ShardRows) -> bool:
        self.write_manifest()
        file = f"{name}{SUFFIX}"
        fresh = not (self.folder / file).exists()
        if fresh:
            self.storage.put(file, data, copy=self.keeps_copies)
            self.write_manifest()  # again: a collection may have removed it as empty
        if name not in self._growing.names:
            self._growing.add([(name, rows)])
        self.committed.append(name)
        return fresh

    def adopt(self, shards: Sequence[tuple[str, ShardRows]]) -> None:
        """Add shards that another process is known to have committed, without reading them."""
        known = self._growing.names
        self._growing.add([(name, rows) for name, rows in shards if name not in known])

    def write_manifest(self) -> None:
        """Write the manifest, and make the folder, if they are missing."""
        if not (self.folder / SPACE_NAME).exists():
            self.storage.put(SPACE_NAME, SpaceManifest(self.spec, self.model).to_bytes())

    def sweep(self) -> int:
        """Remove temporary files whose writers have ended, and return how many."""
        return self.storage.sweep()

    def save_index(self, required: bool = False) -> None:
        """Write the index, so that the next run need not read the keys of all shards.

        Args:
            required: whether to raise an error if the index cannot be written although nothing
                was committed here; a read-only cache is otherwise left without an index.
        """
        for _ in range(READ_ATTEMPTS):
            self.refresh()
            if not self.stale:
                return
            shards = set(self._growing.names)
            try:
                self.storage.put(INDEX_NAME, self.index.to_bytes(self.folder.name))
            except (CacheError, DiskSpaceError, RemoteError):
                if required or self.committed:
                    raise
                return
            self._saved_shards = shards
            if shards <= self.shard_names():  # otherwise some were removed meanwhile
                return

    @property
    def stale(self) -> bool:
        """Whether the saved index has other shards than this object."""
        return self._growing.names != (self._saved_shards or set())

    def drop_index(self) -> None:
        """Remove the index before removing shards: it must never refer to removed shards."""
        (self.folder / INDEX_NAME).unlink(missing_ok=True)
        self._saved_shards = None

    @contextmanager
    def keep_open(self) -> Iterator[None]:
        """Keep shards open after their first check, during the block."""
        self._open_shards = {}
        try:
            yield
        finally:
            self._open_shards = None

    def table(self, keys: np.ndarray, memory: int | None = None) -> FeatureTable:
        """Return the vectors of some texts, in the order of their keys.

        The digest of every shard is checked.

        Args:
            keys: (N,) ``S16``; all must be cached, repeats are allowed.
            memory: maximum bytes of RAM for the vectors, by default half of what is available;
                beyond that, ``values`` is memory-mapped from a temporary file.

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
        """Return the table of the texts at some positions of the index."""
        lengths = self.index.length[found].astype(np.int64)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        width = self.spec.bytes_per_vector
        # int8 and the float16 that it becomes are in memory together until it is unpacked.
        values_size = self.spec.width * np.dtype(table_dtype(self.spec.dtype)).itemsize
        each = width + values_size if self.spec.dtype == "int8" else width
        room = VectorBuffer(int(offsets[-1]) * each, memory, self.storage.scratch_folder())
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
        """Copy the vectors of some texts of one shard; consecutive texts in one piece.

        Args:
            out: (total,) void, the vectors of the table.
            number: position of the shard in the index.
            rows: (n,) sorted positions of the texts in the table.
            to: (n,) position of each text's first vector in ``out``.
            found: (n,) position of each text in the index.
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
        """Open and check a shard of this space. Raises like ``Shard`` and ``table``."""
        opened = self._open_shards or {}
        if name in opened:
            return opened[name]
        shard = Shard(self.folder / f"{name}{SUFFIX}")
        self._check_spec(shard.path, shard.spec())
        if self._open_shards is not None and shard.mapped and len(opened) < MAX_OPEN_SHARDS:
            self._open_shards[name] = shard
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
        """Return the names of the shards that exist now. Raises ``CacheError``."""
        try:
            with reading(self.folder):
                names = self.storage.names()
        except FileNotFoundError:
            return set()
        found = (name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX))
        return {name for name in found if NAME.fullmatch(name)}

    def _saved_index(self) -> Index | None:
        try:
            data = self.storage.read(INDEX_NAME)
        except (OSError, ValueError):
            return None
        index = Index.from_bytes(data, self.folder.name)
        if index and self.spec.layout == POOLED and (index.length != 1).any():
            return None
        return index


def missing_by_space(keys: np.ndarray, spaces: Sequence[Space]) -> np.ndarray:
    """Return (n, spaces) bool: which of n texts have no vectors in which spaces."""
    absent = np.array([space.missing(keys) for space in spaces], bool)
    return absent.reshape(len(spaces), len(keys)).T
