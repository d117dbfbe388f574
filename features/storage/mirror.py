"""Mirror: local copies of shards that lie on object storage, so that both kinds are mapped.

    $XDG_CACHE_HOME/manyheads/shards/<fingerprint>/<digest>.parquet      (~/.cache by default)

A copy is named by the digest of its bytes, as the shard is, and the digest is checked on every
read: it can neither be stale nor wrong, whatever cache it came from. It may be deleted at any
time. Where there is no room for copies, or little would be left, shards are read into memory.
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
"""Free space that copies leave on their disk, which is mostly that of the home folder."""


def mirror_folder() -> Path:
    """Where the copies of all caches lie."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "manyheads" / "shards"


def local_folder(folder: Location) -> Path:
    """Where files that a space needs here lie: in its folder, or in that of its copies."""
    if not isinstance(folder, RemotePath):
        return folder
    here = mirror_folder() / folder.name
    with suppress(ManyheadsError):  # who writes there says why it cannot be
        files.make_folder(here)
    return here


def local_copy(path: RemotePath) -> Path:
    """Where the copy of a shard lies, if there is one."""
    return mirror_folder() / path.parent.name / path.name


def store_local(path: Location, data: bytes) -> None:
    """Keep a copy of the bytes of a shard on object storage, if there is room for one."""
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
    """Remove the copy of a shard, if there is one."""
    if isinstance(path, RemotePath):
        with suppress(OSError):
            local_copy(path).unlink()


def evict_all(folder: Location) -> None:
    """Remove the copies of all shards of a space."""
    if isinstance(folder, RemotePath):
        shutil.rmtree(mirror_folder() / folder.name, ignore_errors=True)
