"""FeatureStore: which texts' vectors exist, where they lie, and how new ones are committed.

    CACHE/<fingerprint>/space.json          the spec, for people and tools
    CACHE/<fingerprint>/<digest>.parquet    immutable shards
    CACHE/<fingerprint>/index.arrow         derived; may be deleted at any time

A shard appears by an atomic rename after fsync: its existence is its commit. There is no
lock, so any number of processes can write side by side. The index is trusted only with its
own digest and only for shards that exist; for all others the shards themselves are read.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from features.errors import CacheError, DiskSpaceError
from features.index import Index
from features.shard import SUFFIX, Block, Shard, ShardRows, digest, serialize
from features.spec import FeatureSpec
from features.table import FeatureTable

INDEX_NAME = "index.arrow"
SPACE_NAME = "space.json"
TEMPORARY_PREFIX = ".tmp-"
READERS = max(2, min(4, os.cpu_count() or 1))
"""Threads that read shards: hashing and copying release the interpreter lock."""


class FeatureStore:
    """All cached vectors under one folder, one space a spec.

    Args:
        root: the cache folder; made when the first vector is committed.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def space(self, spec: FeatureSpec) -> Space:
        """The space of one spec, opened at its present state."""
        return Space(self.root / spec.fingerprint, spec)

    def prepare(self) -> None:
        """Make the cache folder and prove that it can be written, before any work is done.

        Raises:
            CacheError: it cannot be made or written.
        """
        probe = self.root / f".probe-{secrets.token_hex(4)}"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise CacheError(
                f"the cache folder {self.root} cannot be written ({error.strerror}); choose "
                "another with --cache, or change its permissions"
            ) from error


class Space:
    """The vectors of one spec: what exists, commit, read.

    Args:
        folder: ``CACHE/<fingerprint>``; need not exist yet.
        spec: what a vector here is.
    """

    def __init__(self, folder: Path, spec: FeatureSpec) -> None:
        self.folder = folder
        self.spec = spec
        self._index = self._saved_index() or Index.empty()
        self.refresh()

    def missing(self, keys: np.ndarray) -> np.ndarray:
        """(N,) bool: which keys have no vector here."""
        return self._index.find(keys) < 0

    def __len__(self) -> int:
        return len(self._index.keys)

    def tokens(self, keys: np.ndarray) -> np.ndarray:
        """(N,) int32: tokens of each whole text, before truncation; all must be cached."""
        tokens: np.ndarray = self._index.tokens[self._found(keys)]
        return tokens

    def refresh(self) -> bool:
        """Take in the shards that other processes committed or removed since the last look.

        Returns:
            Whether there were any: another process is at work in this space.
        """
        present = self._shard_names()
        known = set(self._index.shards)
        if known - present:
            self._index = self._index.without(known - present)
        for name in sorted(present - known):
            rows = Shard(self.folder / f"{name}{SUFFIX}").rows()
            self._index = self._index.with_shard(name, rows)
        return present != known

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
        name = digest(data)
        if not self.folder.exists():
            self._make_folder()
        fresh = not (self.folder / f"{name}{SUFFIX}").exists()
        if fresh:
            self._put(f"{name}{SUFFIX}", data)
        rows = ShardRows(keys, block.tokens, block.lengths)
        self._index = self._index.with_shard(name, rows)
        return fresh

    def save_index(self) -> None:
        """Write the derived index, so that the next run need not read the shards' keys."""
        saved = self._saved_index()
        if self._index.shards and (
            saved is None or set(saved.shards) != set(self._index.shards)
        ):
            self._put(INDEX_NAME, self._index.to_bytes())

    def table(self, keys: np.ndarray) -> FeatureTable:
        """The vectors of texts, in the order of their keys; every shard's digest is checked.

        Args:
            keys: (N,) ``S16``; all must be cached, repeats are allowed.

        Raises:
            CorruptShardError: a shard does not match its digest.
        """
        found = self._found(keys)
        lengths = self._index.length[found].astype(np.int64)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        width = self.spec.bytes_per_vector
        raw = np.empty(offsets[-1], dtype=f"V{width}")
        shard_of = self._index.shard[found]

        def fill(number: int) -> None:
            rows = np.flatnonzero(shard_of == number)
            self._copy_runs(raw, number, rows, offsets[rows], found[rows])

        with ThreadPoolExecutor(READERS) as pool:
            list(pool.map(fill, np.unique(shard_of).tolist()))
        values = raw.view(self.spec.dtype).reshape(-1, self.spec.width)
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
        shard = Shard(self.folder / f"{self._index.shards[number]}{SUFFIX}")
        source = shard.vectors(self.spec.bytes_per_vector)
        start, length = self._index.start[found], self._index.length[found].astype(np.int64)
        joined = (rows[1:] == rows[:-1] + 1) & (start[1:] == start[:-1] + length[:-1])
        heads = np.flatnonzero(np.concatenate([[True], ~joined]))
        counts = np.add.reduceat(length, heads)
        for a, b, count in zip(
            to[heads].tolist(), start[heads].tolist(), counts.tolist(), strict=True
        ):
            out[a : a + count] = source[b : b + count]

    def _found(self, keys: np.ndarray) -> np.ndarray:
        found = self._index.find(keys)
        if len(found) and found.min() < 0:
            raise KeyError(f"{int((found < 0).sum())} of {len(keys)} texts are not cached")
        return found

    def _shard_names(self) -> set[str]:
        try:
            with os.scandir(self.folder) as entries:
                return {
                    entry.name.removesuffix(SUFFIX)
                    for entry in entries
                    if entry.name.endswith(SUFFIX) and not entry.name.startswith(".")
                }
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise CacheError(
                f"the cache folder {self.folder} cannot be read ({error.strerror}); choose "
                "another with --cache, or change its permissions"
            ) from error

    def _saved_index(self) -> Index | None:
        try:
            return Index.from_bytes((self.folder / INDEX_NAME).read_bytes())
        except OSError:
            return None

    def _make_folder(self) -> None:
        self._guarded(lambda: self.folder.mkdir(parents=True, exist_ok=True))
        self._put(SPACE_NAME, (self.spec.to_json() + "\n").encode("ascii"))

    def _put(self, name: str, data: bytes) -> None:
        """Make a file appear whole or not at all, durable before it appears."""
        temporary = self.folder / f"{TEMPORARY_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"

        def write() -> None:
            try:
                with temporary.open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(self.folder / name)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            _sync_folder(self.folder)

        self._guarded(write)

    def _guarded(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskSpaceError(
                    f"the disk of the cache folder {self.folder} is full; what was committed "
                    "is kept: free some space or choose another with --cache, then run again"
                ) from error
            raise CacheError(
                f"the cache folder {self.folder} cannot be written ({error.strerror}); choose "
                "another with --cache, or change its permissions"
            ) from error


def _sync_folder(folder: Path) -> None:
    """Make renames in a folder durable. Only POSIX lets a folder be synced."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
