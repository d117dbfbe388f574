"""Mirror: local copies of shards on object storage, so that these can be memory-mapped too.

    $XDG_CACHE_HOME/manyheads/shards/<fingerprint>/<digest>.parquet      (~/.cache by default)

Like the shard, a copy is named by the digest of its bytes, which is checked on every read. So
it is never stale or wrong, whatever cache it came from, and it may be deleted at any time. If
a copy would leave less than ``SPARE_BYTES`` on the disk, the shard is read into memory.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from features.errors import ManyheadsError
from features.storage import files
from features.storage.location import user_folder

SPARE_BYTES = 2**30
"""Bytes that copies leave free on their disk, usually that of the home folder."""


def mirror_folder() -> Path:
    """Return the folder of the local copies for all caches."""
    return user_folder() / "shards"


def store(copy: Path, data: bytes | memoryview) -> None:
    """Store a local copy if there is room."""
    with suppress(ManyheadsError, OSError):
        files.make_folder(copy.parent)
        files.sweep(copy.parent)
        if shutil.disk_usage(copy.parent).free < SPARE_BYTES + len(data):
            return
        files.put(copy.parent, copy.name, data)
