"""Durable files: each appears complete or not at all, and then survives a power cut.

    .tmp-<token>  --write, fsync-->  --rename-->  <name>  --fsync of the folder

A writer holds a kernel lock on its temporary file. The kernel releases the lock when the writer
ends, for whatever reason, so ``sweep`` can tell a leftover from a file that is still being
written, without process ids or clocks. On a file system without such locks (or with locks that
other machines do not see) the age decides, and a writer whose temporary file was removed writes
it again.

These functions are for files of this machine; ``storage`` has what a cache needs anywhere.
"""

from __future__ import annotations

import errno
import importlib
import mmap
import os
import re
import secrets
import shutil
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any, Protocol

from features.errors import CacheError, DiskSpaceError
from features.storage.location import Location

fcntl: Any = importlib.import_module("fcntl") if os.name == "posix" else None
TEMPORARY_PREFIX = ".tmp-"
PROBE_PREFIX = ".probe-"
TEMPORARY = re.compile(r"\.tmp-.*|\.probe-[0-9a-f]{8}")
"""Names of temporary files and folders, and of the files by which older versions tested whether
a cache can be written."""

OWN_TEMPORARY = re.compile(r"\.tmp-[0-9a-f]{16}|\.probe-[0-9a-f]{8}")
"""Exactly the names that this module gives to files; safe to remove in a folder of the user."""

NameTest = Callable[[str], object]
"""Name -> something true if the name matches."""

LOCK_NAME = ".maintenance"
"""File that is locked while a cache is maintained; on object storage a prefix of marks."""

ABANDONED_SECONDS = 24 * 3600.0
"""Age in seconds from which a temporary file counts as a leftover if there are no locks."""

REFRESH_SECONDS = 3600.0
"""Seconds between renewals of a temporary folder's time of change, if there are no locks."""

ATTEMPTS = 3
"""Attempts to write a file whose temporary file another machine removes."""

FILE_MODE = 0o666
"""Mode of new files before the umask: a cache may be shared."""

FULL = (errno.ENOSPC, errno.EDQUOT)
"""Error numbers of a full disk."""

BUSY = (errno.EWOULDBLOCK, errno.EACCES)
"""Error numbers of a lock that another process holds."""

OBSTACLES = (errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY)
"""Error numbers of a file in place of a folder, or of a folder in place of a file."""


Content = bytes | mmap.mmap
"""The bytes of a file, in memory or memory-mapped."""


class Ranges(Protocol):
    """A file of which parts are read."""

    def size(self) -> int:
        """Return the bytes of the file."""

    def read_at(self, count: int, offset: int) -> bytes | memoryview:
        """Return some bytes of the file, fewer at its end."""


class MappedRanges:
    """Parts of a memory-mapped file, without copying them."""

    def __init__(self, data: Content) -> None:
        self._view = memoryview(data)

    def size(self) -> int:
        return len(self._view)

    def read_at(self, count: int, offset: int) -> memoryview:
        return self._view[offset : offset + count]


def put(folder: Path, name: str, data: bytes | memoryview) -> None:
    """Write the file ``folder/name`` atomically; it is durable when this returns.

    A missing folder is made, also one that another process removes meanwhile because it is
    empty.

    Raises:
        DiskSpaceError: the disk is full.
        CacheError: the folder cannot be written.
    """
    if not folder.exists():
        make_folder(folder)
    with writing(folder):
        for attempt in range(ATTEMPTS):
            try:
                _put(folder, name, memoryview(data))
                sync_folder(folder)
                break
            except FileNotFoundError:
                # Removed by a machine that cannot see the lock: try again.
                if attempt == ATTEMPTS - 1:
                    raise
                make_folder(folder)


def prove_writable(folder: Path) -> None:
    """Make a file in a folder and remove it. Raises ``OSError`` if that is not possible."""
    path, descriptor = _new_file(folder)
    try:
        path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def open_file(path: Path) -> IO[bytes]:
    """Open a regular file for reading; a named pipe or a device is refused without waiting.

    Raises:
        OSError: the file cannot be opened.
        ValueError: it is not a regular file.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is no regular file")
    return path.open("rb")


def read_file(path: Path) -> bytes:
    """Return the bytes of a file. Raises like ``open_file``."""
    with open_file(path) as file:
        return file.read()


def map_file(path: Path) -> mmap.mmap:
    """Return the bytes of a file, memory-mapped. Raises ``OSError``, also if it is empty."""
    try:
        with open_file(path) as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError as error:
        raise OSError(str(error)) from error


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, durably. Raises like ``put``."""
    with writing(folder):
        above = [parent for parent in folder.absolute().parents if not parent.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for parent in {folder.absolute().parent, *(path.parent for path in above)}:
            sync_folder(parent)


@contextmanager
def temporary_folder(folder: Path, name: str) -> Iterator[Path]:
    """Make a temporary folder inside another and protect it from ``sweep`` during the block.

    The caller renames the folder when it is complete. If it still has its temporary name
    after the block, it is a leftover.

    Raises:
        OSError: the folder cannot be made.
    """
    path, descriptor, locked = _locked_folder(folder, name)
    done = threading.Event()
    if not locked:
        threading.Thread(target=_keep_young, args=(path, done), daemon=True).start()
    try:
        yield path
    finally:
        done.set()
        if descriptor >= 0:
            os.close(descriptor)


def abandoned(folder: Path, ours: NameTest = TEMPORARY.fullmatch) -> list[Path]:
    """Return the temporary files in a folder whose writers have ended."""
    return [path for path in _temporaries(folder, ours) if _take(path, lambda: None)]


def sweep(folder: Path, ours: NameTest = TEMPORARY.fullmatch) -> int:
    """Remove temporary files and folders whose writers have ended, and return how many.

    Args:
        ours: whether a name is that of a temporary file; stricter than the default for
            folders that hold other files too.
    """
    return sum(_take(path, partial(_remove, path)) for path in _temporaries(folder, ours))


@contextmanager
def reading(folder: Location) -> Iterator[None]:
    """Turn an ``OSError`` on reading a cache folder into a CacheError.

    A ``FileNotFoundError`` is left to the caller.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise CacheError(
            f"the cache folder {folder} cannot be read ({error.strerror}); choose another with "
            "--cache, or change its permissions"
        ) from error


@contextmanager
def writing(folder: Location) -> Iterator[None]:
    """Turn an ``OSError`` on writing to a cache folder into DiskSpaceError or CacheError."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise DiskSpaceError(
                f"the disk of the cache folder {folder} is full; what was committed stays: "
                "free some space or choose another disk with --cache, then run again"
            ) from error
        in_the_way = error.filename2 or error.filename
        if error.errno in OBSTACLES and in_the_way:
            raise CacheError(
                f"the cache folder {folder} cannot be written ({in_the_way}: "
                f"{error.strerror}); move that away, or choose another with --cache"
            ) from error
        raise CacheError(
            f"the cache folder {folder} cannot be written ({error.strerror or error}); choose "
            "another with --cache, or change its permissions"
        ) from error


def sync_folder(folder: Path) -> None:
    """Make renames and removals in a folder durable; only POSIX systems can do so."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def locked(root: Path, name: str) -> Iterator[bool]:
    """Yield whether the lock of a cache was acquired; release it on exit.

    Raises:
        CacheError: the file of the lock cannot be made.
    """
    path = root / name
    if path.is_dir():
        raise CacheError(
            f"{path} is a folder, and stands where the lock of those who tidy belongs; move it "
            "away and run again"
        )
    with writing(root):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE)
        except PermissionError:  # another user's file, which can be locked all the same
            descriptor = os.open(path, os.O_RDONLY)
    try:
        yield _lock(descriptor) is not False
    finally:
        os.close(descriptor)


def _new_file(folder: Path) -> tuple[Path, int]:
    """Make a locked temporary file; return it with its descriptor. Raises ``OSError``."""
    path = folder / f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    _lock(descriptor, wait=True)
    return path, descriptor


def _put(folder: Path, name: str, data: memoryview) -> None:
    temporary, descriptor = _new_file(folder)
    try:
        try:
            while data:
                data = data[os.write(descriptor, data) :]
            os.fsync(descriptor)
            if os.name != "posix":  # Windows renames no open file
                os.close(descriptor)
                descriptor = -1
            os.replace(temporary, folder / name)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _locked_folder(folder: Path, name: str) -> tuple[Path, int, bool]:
    """Make a folder; return it, the descriptor of its lock, and whether it is locked.

    Without locks the descriptor is -1.
    """
    while True:
        path = folder / f"{TEMPORARY_PREFIX}{name}-{secrets.token_hex(3)}"
        path.mkdir(parents=True)
        if fcntl is None:
            return path, -1, False
        with suppress(FileNotFoundError):  # removed before it was locked: try again
            descriptor = os.open(path, os.O_RDONLY)
            locked = _lock(descriptor, wait=True)
            if path.exists():
                return path, descriptor, bool(locked)
            os.close(descriptor)


def _keep_young(path: Path, done: threading.Event) -> None:
    """Renew a folder's time of change, since without locks an old one is a leftover."""
    while not done.wait(REFRESH_SECONDS):
        with suppress(OSError):
            os.utime(path)


def _temporaries(folder: Path, ours: NameTest) -> list[Path]:
    try:
        found = [name for name in os.listdir(folder) if ours(name)]
    except FileNotFoundError:
        return []
    return [folder / name for name in sorted(found)]


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _take(path: Path, act: Callable[[], object]) -> bool:
    """Call ``act`` if no writer can be using a file, and return whether it was called."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return False  # renamed or removed meanwhile
    try:
        locked = _lock(descriptor)
        found = os.fstat(descriptor)
        if locked is None:
            locked = time.time() - found.st_mtime > ABANDONED_SECONDS
        # If it was renamed after it was opened, it is complete and has its final name now.
        locked = locked and os.path.samestat(found, os.lstat(path))
        if locked:
            act()
        return locked
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _lock(descriptor: int, wait: bool = False) -> bool | None:
    """Return whether a lock was acquired; None if the file system has no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        return True
    except OSError as error:
        return False if error.errno in BUSY else None
