"""Storage: a folder of a cache and its files, wherever it lies.

    storage_of(folder)    LocalStorage or ObjectStorage

What differs between a disk and object storage is behind this protocol: its users neither ask
which one it is nor know what the other can do. Another kind of storage is another class with
these members, and a line in ``storage_of``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from features.errors import CacheError
from features.storage.files import LOCK_NAME, TEMPORARY, Content, NameTest, Ranges
from features.storage.local import LocalStorage
from features.storage.location import Location
from features.storage.objects import ObjectStorage
from features.storage.remote import RemotePath

Parsed = TypeVar("Parsed")


class Storage(Protocol):
    """A folder and its files, which need not exist yet.

    Names are relative to the folder. A file that does not exist raises ``FileNotFoundError``,
    another failure on object storage ``RemoteError``, and on a disk ``OSError``, unless a
    method says otherwise.
    """

    @property
    def empty_folders(self) -> bool:
        """Whether a folder without files exists."""

    def names(self) -> list[str]:
        """Return the names of all entries."""

    def read(self, name: str) -> bytes:
        """Return the bytes of a small file."""

    def content(
        self, name: str, check: Callable[[Content], None], at_source: bool = False
    ) -> Content:
        """Return the bytes of a large file, memory-mapped if possible.

        Args:
            check: raises a ``ManyheadsError`` if the bytes are damaged. A damaged local copy
                is replaced.
            at_source: whether to read the file itself, without using or making a local copy.
        """

    def parse(self, name: str, parser: Callable[[Ranges], Parsed]) -> Parsed:
        """Return what a function makes of parts of a large file, without reading all of it.

        Args:
            parser: raises ``ValueError`` if the bytes are damaged. If it does so for a local
                copy, it is called again for the file itself.
        """

    def put(self, name: str, data: bytes | memoryview, copy: bool = False) -> None:
        """Write a file atomically; it is durable when this returns. Missing folders are made.

        Args:
            copy: whether to keep a copy on this machine, where the file itself is elsewhere.

        Raises:
            DiskSpaceError: the disk is full.
            CacheError: the folder cannot be written.
        """

    def touch(self, name: str) -> None:
        """Set a file's time of change to now, on object storage within an hour."""

    def move(self, name: str, target: str) -> None:
        """Move a file or folder durably. Missing folders around the target are made."""

    def remove(self, names: Sequence[str]) -> None:
        """Remove files durably; some may be gone already."""

    def remove_folder(self) -> None:
        """Remove the folder durably. Raises ``OSError`` if something is in it."""

    def evict(self, name: str) -> None:
        """Remove the local copy of a file, if there is one."""

    def prepare(self) -> None:
        """Make the folder if it is missing, and prove that files can be written to it."""

    def abandoned(self, ours: NameTest = TEMPORARY.fullmatch) -> list[str]:
        """Return the names of the temporary files whose writers have ended."""

    def sweep(self, ours: NameTest = TEMPORARY.fullmatch) -> int:
        """Remove temporary files and folders whose writers have ended, and return how many.

        Args:
            ours: whether a name is that of a temporary file; stricter than the default for
                folders that hold other files too.
        """

    def lock(self, name: str) -> AbstractContextManager[bool]:
        """Yield whether a lock was acquired; release it on exit."""

    def size(self) -> int:
        """Return the bytes of all files below the folder; 0 if there is no folder."""

    def free_bytes(self) -> float:
        """Return how many bytes more there is room for; ``math.inf`` without a limit."""

    def scratch_folder(self) -> Path:
        """Return a folder of this machine for temporary files beside those of the folder."""

    def why_missing(self, name: str) -> str:
        """Return why there is no such file, if more is known than that; "" otherwise."""


def storage_of(folder: Location) -> Storage:
    """Return the storage that a folder lies on."""
    return ObjectStorage(folder) if isinstance(folder, RemotePath) else LocalStorage(folder)


@contextmanager
def exclusive(root: Location) -> Iterator[None]:
    """Hold the cache's maintenance lock (compact, collect, verify --fix).

    Encoding and reading do not need the lock and continue.

    Raises:
        CacheError: another process holds the lock.
    """
    with storage_of(root).lock(LOCK_NAME) as alone:
        if not alone:
            raise CacheError(
                f"another process is tidying the cache {root} (compact, collect or verify "
                "--fix); wait until it has finished and run again"
            )
        yield
