"""Memory for vectors: how much is available, and memory-mapped files beyond that.

Such a file is in the folder of the shards and has no name, so the system removes it as soon as
its array is no longer used. A killed run leaves nothing behind.
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
"""Share of the available memory that vectors take by default."""

LIMITS = {
    "memory.max": "memory.current",
    "memory/memory.limit_in_bytes": "memory/memory.usage_in_bytes",
}
"""Files of cgroups version 2 and 1: a container's memory limit -> its current usage."""

ASSUMED_MEMORY = 4 * 2**30
"""Bytes assumed if the system does not report its memory, as on Windows."""

ZEROS = bytes(2**20)


def available_memory(root: Path = Path("/")) -> int:
    """Estimate how many bytes of memory this process can still allocate.

    Args:
        root: folder that holds ``proc`` and ``sys``.
    """
    limits = [_free(root / "proc/meminfo")]
    for limit, taken in LIMITS.items():
        maximum = _number(root / "sys/fs/cgroup" / limit)
        if maximum is not None:
            limits.append(max(0, maximum - (_number(root / "sys/fs/cgroup" / taken) or 0)))
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
    """Return whether an array is memory-mapped, from a ``VectorBuffer``'s file or a shard."""
    base: object = values
    while isinstance(base, np.ndarray):
        base = base.base
    return isinstance(base, memoryview) and isinstance(base.obj, mmap.mmap)


class VectorBuffer:
    """Allocates the arrays of one table in RAM, or in temporary files beyond the budget.

    Args:
        size: bytes that all arrays will take.
        budget: maximum bytes of RAM; None: half of the available memory.
        folder: folder for the memory-mapped files.
    """

    def __init__(self, size: int, budget: int | None, folder: Path) -> None:
        maximum = int(SHARE * available_memory()) if budget is None else budget
        self.in_memory = size <= maximum
        self._folder = folder
        self._maps: list[mmap.mmap] = []

    def empty(self, shape: tuple[int, ...], dtype: np.dtype | str) -> np.ndarray:
        """Return a new C-contiguous array with arbitrary values.

        Raises:
            DiskSpaceError: a file does not fit on the disk.
            CacheError: the folder cannot be written.
        """
        kind = np.dtype(dtype)
        size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
        if self.in_memory or not size:
            return np.empty(shape, kind)
        self._maps.append(self._map(size))
        return np.frombuffer(self._maps[-1], kind).reshape(shape)

    def release(self) -> None:
        """Let the system free the memory of the pages that were written so far."""
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


def _reserve(descriptor: int, size: int, zeros: bytes = ZEROS) -> None:
    """Allocate all bytes of a file: a full disk under a memory map would kill the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
        return
    left = size
    while left:
        left -= os.write(descriptor, zeros[:left])
