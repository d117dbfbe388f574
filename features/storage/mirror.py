"""Mirror: local copies of shards on object storage, so that these can be memory-mapped too.

    $XDG_CACHE_HOME/manyheads/shards/<fingerprint>/<digest>.parquet      (~/.cache by default)

Like the shard, a copy is named by the digest of its bytes, which is checked on every read. So
it is never stale or wrong, whatever cache it came from, and it may be deleted at any time. If
a copy would leave less than ``SPARE_BYTES`` on the disk, the shard is read into memory.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from features.errors import ManyheadsError
from features.storage import files
from features.storage.location import Location
from features.storage.remote import RemotePath

SPARE_BYTES = 2**30
"""Bytes that copies leave free on their disk, usually that of the home folder."""


def mirror_folder() -> Path:
    """Return the folder of the local copies for all caches."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "manyheads" / "shards"


def local_folder(folder: Location) -> Path:
    """Return a folder for local files of a space: its own, or that of its local copies."""
    if not isinstance(folder, RemotePath):
        return folder
    here = mirror_folder() / folder.name
    with suppress(ManyheadsError):  # the write that follows reports the error
        files.make_folder(here)
    return here


def local_copy(path: RemotePath) -> Path:
    """Return the path of a shard's local copy, which need not exist."""
    return mirror_folder() / path.parent.name / path.name


def store_local(path: Location, data: bytes) -> None:
    """Store a local copy of a shard's bytes if it is on object storage and there is room."""
    if not isinstance(path, RemotePath):
        return
    copy = local_copy(path)
    with suppress(ManyheadsError, OSError):
        files.make_folder(copy.parent)
        files.sweep(copy.parent)
        if shutil.disk_usage(copy.parent).free < SPARE_BYTES + len(data):
            return
        files.put(copy.parent, copy.name, data)


def evict(path: Location) -> None:
    """Remove the local copy of a shard, if there is one."""
    if isinstance(path, RemotePath):
        with suppress(OSError):
            local_copy(path).unlink()


def evict_all(folder: Location) -> None:
    """Remove the local copies of all shards of a space."""
    if isinstance(folder, RemotePath):
        shutil.rmtree(mirror_folder() / folder.name, ignore_errors=True)
