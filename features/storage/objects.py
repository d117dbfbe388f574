"""ObjectStorage: a folder in a bucket.

A file appears complete and durable by itself, folders need not be made, and a lock is a
``lease``. Large files get local copies (``mirror``), which can be memory-mapped.
"""

from __future__ import annotations

import math
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from features.errors import ManyheadsError
from features.storage import files, mirror
from features.storage.files import (
    ABANDONED_SECONDS,
    PROBE_PREFIX,
    TEMPORARY,
    Content,
    NameTest,
    Ranges,
)
from features.storage.lease import lease
from features.storage.remote import RemotePath

TOUCH_SECONDS = 3600.0
"""Minimum seconds between two times of change of a file, each of which costs two requests."""

Parsed = TypeVar("Parsed")


@dataclass(frozen=True)
class ObjectStorage:
    """A folder in a bucket; the members are those of ``Storage``."""

    folder: RemotePath

    empty_folders = False

    def names(self) -> list[str]:
        return [path.name for path in self.folder.iterdir()]

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def content(
        self, name: str, check: Callable[[Content], None], at_source: bool = False
    ) -> Content:
        if not at_source:
            with suppress(OSError, ManyheadsError):  # no local copy, or a damaged one
                mapped = files.map_file(self._copy(name))
                check(mapped)
                return mapped
        data = self.read(name)
        check(data)
        if not at_source:
            mirror.store(self._copy(name), data)
        return data

    def parse(self, name: str, parser: Callable[[Ranges], Parsed]) -> Parsed:
        with suppress(OSError, ValueError):  # no local copy, or a damaged one
            return parser(files.MappedRanges(files.map_file(self._copy(name))))
        with (self.folder / name).ranges() as parts:
            return parser(parts)

    def put(self, name: str, data: bytes | memoryview, copy: bool = False) -> None:
        (self.folder / name).write_bytes(data)
        if copy:
            mirror.store(self._copy(name), data)

    def touch(self, name: str) -> None:
        path = self.folder / name
        if time.time() - path.stat().st_mtime > TOUCH_SECONDS:
            path.write_bytes(path.read_bytes())

    def move(self, name: str, target: str) -> None:
        (self.folder / name).replace(self.folder / target)

    def remove(self, names: Sequence[str]) -> None:
        for name in names:
            (self.folder / name).unlink(missing_ok=True)

    def remove_folder(self) -> None:
        shutil.rmtree(self._copies(), ignore_errors=True)
        self.folder.rmdir()

    def evict(self, name: str) -> None:
        with suppress(OSError):
            self._copy(name).unlink()

    def prepare(self) -> None:
        probe = self.folder / f"{PROBE_PREFIX}{secrets.token_hex(4)}"
        probe.write_bytes(b"")
        probe.unlink()

    def abandoned(self, ours: NameTest = TEMPORARY.fullmatch) -> list[str]:
        return [path.name for path in self._abandoned(ours)]

    def sweep(self, ours: NameTest = TEMPORARY.fullmatch) -> int:
        count = 0
        for path in self._abandoned(ours):
            with suppress(OSError):
                path.unlink()
                count += 1
        return count

    @contextmanager
    def lock(self, name: str) -> Iterator[bool]:
        with lease(self.folder, name) as alone:
            yield alone

    def size(self) -> int:
        return sum(path.stat().st_size for path in self.folder.files())

    def free_bytes(self) -> float:
        return math.inf

    def scratch_folder(self) -> Path:
        with suppress(ManyheadsError):  # the write that follows reports the error
            files.make_folder(self._copies())
        return self._copies()

    def why_missing(self, name: str) -> str:
        bucket = self.folder.bucket
        return "" if bucket.exists() else f"no such bucket {bucket.name!r}; check the name"

    def _copies(self) -> Path:
        """Return the folder of the local copies, which need not exist."""
        return mirror.mirror_folder() / self.folder.name

    def _copy(self, name: str) -> Path:
        return self._copies() / name

    def _abandoned(self, ours: NameTest) -> list[RemotePath]:
        """Return the old temporary files: nothing else tells that their writers have ended."""
        oldest = time.time() - ABANDONED_SECONDS
        with suppress(FileNotFoundError):
            found = [path for path in self.folder.iterdir() if ours(path.name)]
            return [path for path in found if path.is_file() and path.stat().st_mtime < oldest]
        return []
