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
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from features.errors import CacheError, DiskSpaceError
from features.lease import lease
from features.place import Place
from features.remote import RemotePath

fcntl: Any = importlib.import_module("fcntl") if os.name == "posix" else None
TEMPORARY_PREFIX = ".tmp-"
TEMPORARY = re.compile(r"\.tmp-.*")
"""Names of files and folders under way."""

Named = Callable[[str], object]
"""Says of a name whether it is meant."""

LOCK_NAME = ".maintenance"
ABANDONED_SECONDS = 24 * 3600.0
"""Age from which a temporary file counts as left over where locks cannot tell."""

ATTEMPTS = 3
FULL = (errno.ENOSPC, errno.EDQUOT)
BUSY = (errno.EWOULDBLOCK, errno.EACCES)


def put(folder: Place, name: str, data: bytes | memoryview) -> None:
    """Make the file ``folder/name`` appear whole or not at all, durable before it appears.

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
                break
            except FileNotFoundError:
                # Swept by a machine that could not see the lock: once more.
                if attempt == ATTEMPTS - 1 or not folder.is_dir():
                    raise
        sync_folder(folder)


def make_folder(folder: Place) -> None:
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
    path, descriptor = _locked_folder(folder, name)
    try:
        yield path
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def remove_tree(folder: Place) -> None:
    """Remove a folder with all that is in it, durably."""
    if isinstance(folder, RemotePath):
        folder.remove_tree()
        return
    with writing(folder):
        shutil.rmtree(folder)
        sync_folder(folder.parent)


def file_names(folder: Place) -> list[str]:
    """Names of all that lies in a folder. Raises ``OSError``."""
    if isinstance(folder, RemotePath):
        return [path.name for path in folder.iterdir()]
    return os.listdir(folder)


def abandoned(folder: Place) -> list[Place]:
    """Temporary files in a folder whose writers are gone."""
    return [
        path for path in _temporaries(folder, TEMPORARY.fullmatch) if _take(path, lambda: None)
    ]


def sweep(folder: Place, ours: Named = TEMPORARY.fullmatch) -> int:
    """Remove the temporary files and folders that dead writers left; how many they were.

    Args:
        ours: whether a name may be one; more exactly where others keep files too.
    """
    return sum(_take(path, partial(_remove, path)) for path in _temporaries(folder, ours))


@contextmanager
def exclusive(root: Place) -> Iterator[None]:
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
def reading(folder: Place) -> Iterator[None]:
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
def writing(folder: Place) -> Iterator[None]:
    """Turn what the system raises over writing in a folder into the project's errors."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise DiskSpaceError(
                f"the disk of the cache folder {folder} is full; what was committed is kept: "
                "free some space or choose another disk with --cache, then run again"
            ) from error
        raise CacheError(
            f"the cache folder {folder} cannot be written ({error.strerror or error}); choose "
            "another with --cache, or change its permissions"
        ) from error


def sync_folder(folder: Place) -> None:
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
    with writing(root):
        descriptor = os.open(root / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        yield _lock(descriptor) is not False
    finally:
        os.close(descriptor)


def _put(folder: Path, name: str, data: memoryview) -> None:
    temporary = folder / f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        try:
            _lock(descriptor, wait=True)
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


def _locked_folder(folder: Path, name: str) -> tuple[Path, int]:
    """A new folder and the descriptor that locks it; -1 where there are no locks."""
    while True:
        path = folder / f"{TEMPORARY_PREFIX}{name}-{secrets.token_hex(3)}"
        path.mkdir(parents=True)
        if fcntl is None:
            return path, -1
        with suppress(FileNotFoundError):  # swept before it was locked: once more
            descriptor = os.open(path, os.O_RDONLY)
            _lock(descriptor, wait=True)
            if path.exists():
                return path, descriptor
            os.close(descriptor)


def _temporaries(folder: Place, ours: Named) -> list[Path]:
    if isinstance(folder, RemotePath):
        return []
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if ours(entry.name))
    except FileNotFoundError:
        return []


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _take(path: Path, act: Callable[[], object]) -> bool:
    """Do something while no writer can hold the file. False, nothing done: one may."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False  # renamed or swept meanwhile
    try:
        locked = _lock(descriptor)
        if locked is None:
            locked = time.time() - os.fstat(descriptor).st_mtime > ABANDONED_SECONDS
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
