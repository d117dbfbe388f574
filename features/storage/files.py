"""Durable files: they appear whole or not at all, and what appeared survives a power cut.

    .tmp-<token>  --write, fsync-->  --rename-->  <name>  --fsync of the folder

A writer holds a lock of the kernel on its temporary file. The kernel drops it when the
writer dies, however it dies, so ``sweep`` can tell a leftover from a file under way without
process ids or clocks, and no lock outlives its holder. Where a file system has no such locks
(or keeps them to one machine), age decides, and a writer whose temporary file was swept
writes it again.

On object storage (``RemotePath``) a file appears whole and durable by itself, and there are no
folders: most of this is nothing there. The lock of those who tidy is a ``lease``.
"""

from __future__ import annotations

import errno
import importlib
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
from typing import IO, Any

from features.errors import CacheError, DiskSpaceError
from features.storage.lease import lease
from features.storage.location import Location
from features.storage.remote import RemotePath

fcntl: Any = importlib.import_module("fcntl") if os.name == "posix" else None
TEMPORARY_PREFIX = ".tmp-"
TEMPORARY = re.compile(r"\.tmp-.*|\.probe-[0-9a-f]{8}")
"""Names of files and folders under way, and those that older versions tried a cache with."""

OWN_TEMPORARY = re.compile(r"\.tmp-[0-9a-f]{16}|\.probe-[0-9a-f]{8}")
"""The names that are given here to files, exactly: what may be swept beside others' files."""

Named = Callable[[str], object]
"""Says of a name whether it is meant."""

LOCK_NAME = ".maintenance"
ABANDONED_SECONDS = 24 * 3600.0
"""Age from which a temporary file counts as left over where locks cannot tell."""

REFRESH_SECONDS = 3600.0
"""How often a folder under way is made to look young where there are no locks."""

ATTEMPTS = 3
FILE_MODE = 0o666
"""Whoever the umask lets in: a cache may be shared."""

FULL = (errno.ENOSPC, errno.EDQUOT)
BUSY = (errno.EWOULDBLOCK, errno.EACCES)
OBSTACLES = (errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY)


def put(folder: Location, name: str, data: bytes | memoryview) -> None:
    """Make the file ``folder/name`` appear whole or not at all, durable before it appears.

    A folder that is missing, because someone took it for an empty one, is made again.

    Raises:
        DiskSpaceError: the disk is full.
        CacheError: the folder cannot be written.
        RemoteError: the object storage cannot be reached, or refuses.
    """
    if isinstance(folder, RemotePath):
        (folder / name).write_bytes(data)
        return
    with writing(folder):
        for attempt in range(ATTEMPTS):
            try:
                _put(folder, name, memoryview(data))
                sync_folder(folder)
                break
            except FileNotFoundError:
                # Swept by a machine that could not see the lock: once more.
                if attempt == ATTEMPTS - 1:
                    raise
                make_folder(folder)


def prove_writable(folder: Path) -> None:
    """Make a file in a folder and remove it. Raises ``OSError`` where that cannot be."""
    path, descriptor = _new_file(folder)
    try:
        path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def open_file(path: Path) -> IO[bytes]:
    """A file, opened for reading; a named pipe or a device is refused, not waited for.

    Raises:
        OSError: it cannot be opened.
        ValueError: it is no regular file.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is no regular file")
    return path.open("rb")


def read_file(path: Location) -> bytes:
    """The bytes of a file. Raises as ``open_file``, or ``RemoteError``."""
    if isinstance(path, RemotePath):
        return path.read_bytes()
    with open_file(path) as file:
        return file.read()


def make_folder(folder: Location) -> None:
    """Make a folder and its parents, durably. Raises as ``put`` does."""
    if isinstance(folder, RemotePath):
        return
    with writing(folder):
        above = [parent for parent in folder.absolute().parents if not parent.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for parent in {folder.absolute().parent, *(path.parent for path in above)}:
            sync_folder(parent)


@contextmanager
def temporary_folder(folder: Path, name: str) -> Iterator[Path]:
    """A new folder inside another that ``sweep`` spares while the block runs.

    Who fills it renames it; what is left under its temporary name is a leftover.

    Raises:
        OSError: it cannot be made.
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


def file_names(folder: Location) -> list[str]:
    """Names of all that lies in a folder. Raises ``OSError``."""
    if isinstance(folder, RemotePath):
        return [path.name for path in folder.iterdir()]
    return os.listdir(folder)


def abandoned(folder: Location, ours: Named = TEMPORARY.fullmatch) -> list[Location]:
    """Temporary files in a folder whose writers are gone."""
    return [path for path in _temporaries(folder, ours) if _take(path, lambda: None)]


def sweep(folder: Location, ours: Named = TEMPORARY.fullmatch) -> int:
    """Remove the temporary files and folders that dead writers left; how many they were.

    Args:
        ours: whether a name may be one; more exactly where others keep files too.
    """
    return sum(_take(path, partial(_remove, path)) for path in _temporaries(folder, ours))


@contextmanager
def exclusive(root: Location) -> Iterator[None]:
    """Hold the one place of those who remove files in a cache: compact, collect, verify --fix.

    Encoding and reading need no lock and go on meanwhile.

    Raises:
        CacheError: another process holds it.
    """
    with lease(root, LOCK_NAME) if isinstance(root, RemotePath) else _locked(root) as alone:
        if not alone:
            raise CacheError(
                f"another process is tidying the cache {root} (compact, collect or verify "
                "--fix); wait until it has finished and run again"
            )
        yield


@contextmanager
def reading(folder: Location) -> Iterator[None]:
    """Turn what the system raises over reading a folder into a CacheError, but a missing one.

    What is not there is left to the caller as ``FileNotFoundError``.
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
    """Turn what the system raises over writing in a folder into the project's errors."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise DiskSpaceError(
                f"the disk of the cache folder {folder} is full; what was committed is kept: "
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


def sync_folder(folder: Location) -> None:
    """Make renames and removals in a folder durable. Only POSIX lets a folder be synced."""
    if os.name == "posix" and not isinstance(folder, RemotePath):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _locked(root: Path) -> Iterator[bool]:
    """Whether the lock was got; held until the block ends or the process dies."""
    path = root / LOCK_NAME
    if path.is_dir():
        raise CacheError(
            f"{path} is a folder, and stands where the lock of those who tidy belongs; move it "
            "away and run again"
        )
    with writing(root):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE)
        except PermissionError:  # another user's, which can be locked all the same
            descriptor = os.open(path, os.O_RDONLY)
    try:
        yield _lock(descriptor) is not False
    finally:
        os.close(descriptor)


def _new_file(folder: Path) -> tuple[Path, int]:
    """A new temporary file, locked, and its descriptor. Raises ``OSError``."""
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
    """A new folder, the descriptor that locks it, and whether it does; -1 and False without."""
    while True:
        path = folder / f"{TEMPORARY_PREFIX}{name}-{secrets.token_hex(3)}"
        path.mkdir(parents=True)
        if fcntl is None:
            return path, -1, False
        with suppress(FileNotFoundError):  # swept before it was locked: once more
            descriptor = os.open(path, os.O_RDONLY)
            locked = _lock(descriptor, wait=True)
            if path.exists():
                return path, descriptor, bool(locked)
            os.close(descriptor)


def _keep_young(path: Path, done: threading.Event) -> None:
    """Renew a folder's time of change: by its age alone would it pass for a leftover."""
    while not done.wait(REFRESH_SECONDS):
        with suppress(OSError):
            os.utime(path)


def _temporaries(folder: Location, ours: Named) -> list[Location]:
    try:
        found = [name for name in file_names(folder) if ours(name)]
    except FileNotFoundError:
        return []
    return [folder / name for name in sorted(found)]


def _remove(path: Location) -> None:
    if isinstance(path, Path) and path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _take(path: Location, act: Callable[[], object]) -> bool:
    """Do something while no writer can hold the file. False, nothing done: one may."""
    try:
        if isinstance(path, RemotePath):
            left = time.time() - path.stat().st_mtime > ABANDONED_SECONDS
            if left:
                act()
            return left
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return False  # renamed or swept meanwhile
    try:
        locked = _lock(descriptor)
        found = os.fstat(descriptor)
        if locked is None:
            locked = time.time() - found.st_mtime > ABANDONED_SECONDS
        # Renamed since it was opened: it is whole, and has another name now.
        locked = locked and os.path.samestat(found, os.lstat(path))
        if locked:
            act()
        return locked
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _lock(descriptor: int, wait: bool = False) -> bool | None:
    """Whether the lock was got; None where this file system has none."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        return True
    except OSError as error:
        return False if error.errno in BUSY else None
