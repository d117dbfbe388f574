"""Memory: how much of it vectors may take, and a file for those that take more.

The file lies beside the shards, has no name, and goes when nothing refers to its array any
more: a killed run leaves nothing behind.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from pathlib import Path

import numpy as np

from features.errors import CacheError, DiskSpaceError
from features.storage.files import FULL, TEMPORARY_PREFIX

SHARE = 0.5
"""Of the available memory, what vectors take without being asked."""

LIMITS = {
    "memory.max": "memory.current",
    "memory/memory.limit_in_bytes": "memory/memory.usage_in_bytes",
}
"""Where Linux says how much memory a container may take, in its versions 2 and 1, and beside
it how much it takes already."""

ASSUMED_MEMORY = 4 * 2**30
"""Where the system does not say how much memory there is, such as Windows."""

ZEROS = bytes(2**20)


def available_memory(root: Path = Path("/")) -> int:
    """Bytes of memory that this process could take now, about.

    Args:
        root: where the file systems of the kernel stand.
    """
    limits = [_free(root / "proc/meminfo")]
    for limit, taken in LIMITS.items():
        most = _number(root / "sys/fs/cgroup" / limit)
        if most is not None:
            limits.append(max(0, most - (_number(root / "sys/fs/cgroup" / taken) or 0)))
    return min(limits)


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # no container, or one without a limit: "max"
        return None


def _free(meminfo: Path) -> int:
    try:
        lines = meminfo.read_text().splitlines()
        available = next(line for line in lines if line.startswith("MemAvailable"))
        return int(available.split()[1]) * 1024
    except (OSError, StopIteration):  # not Linux
        return _physical()


def _physical() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # no such function, or no such number
        return ASSUMED_MEMORY


def on_disk(values: np.ndarray) -> bool:
    """Whether an array stands in a file, be it one of ``VectorBuffer`` or a shard."""
    base: object = values
    while isinstance(base, np.ndarray):
        base = base.base
    return isinstance(base, memoryview) and isinstance(base.obj, mmap.mmap)


class VectorBuffer:
    """Room for the vectors of one table: memory, or a file where they are too many.

    Args:
        size: bytes that they will take.
        budget: bytes of memory that they may take; None: half of what is available.
        folder: where the file would lie.
    """

    def __init__(self, size: int, budget: int | None, folder: Path) -> None:
        most = int(SHARE * available_memory()) if budget is None else budget
        self.in_memory = size <= most
        self._folder = folder
        self._maps: list[mmap.mmap] = []

    def empty(self, shape: tuple[int, ...], dtype: np.dtype | str) -> np.ndarray:
        """A new array, C-contiguous; what it holds is arbitrary.

        Raises:
            DiskSpaceError: the file does not fit on the disk.
            CacheError: the folder cannot be written.
        """
        kind = np.dtype(dtype)
        size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
        if self.in_memory or not size:
            return np.empty(shape, kind)
        self._maps.append(self._map(size))
        return np.frombuffer(self._maps[-1], kind).reshape(shape)

    def release(self) -> None:
        """Let the system take back the memory behind what was written so far."""
        for mapped in self._maps:
            if hasattr(mmap, "MADV_DONTNEED"):
                mapped.madvise(mmap.MADV_DONTNEED)

    def _map(self, size: int) -> mmap.mmap:
        try:
            with tempfile.TemporaryFile(prefix=TEMPORARY_PREFIX, dir=self._folder) as file:
                _reserve(file.fileno(), size)
                return mmap.mmap(file.fileno(), size)
        except OSError as error:
            needed = (
                f"{size / 1e9:.2f} GB of vectors are more than they may take of the memory, "
            )
            if error.errno in FULL:
                raise DiskSpaceError(
                    f"{needed}and do not fit on the disk of {self._folder} either; free some "
                    "space there, or allow them more memory with --memory"
                ) from error
            raise CacheError(
                f"{needed}and {self._folder} cannot be written ({error.strerror or error}); "
                "change its permissions, or allow them more memory with --memory"
            ) from error


def _reserve(descriptor: int, size: int) -> None:
    """Give a file all its bytes: to run out of disk under a memory map kills the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
        return
    left = size
    while left:
        left -= os.write(descriptor, ZEROS[:left])
