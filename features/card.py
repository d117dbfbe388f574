"""SpaceCard: what ``space.json`` says of a space, for people and tools.

The spec alone makes the fingerprint. The facts beside it (the encoder's name) are only for
people. The time of the file's last change is the time of the space's last use; users who may
not change it keep the time of theirs beside it, in an empty file ``used-<user id>``.
"""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from features.durable import FILE_MODE, LOCK_NAME, read_file, reading
from features.errors import CacheError, RemoteError, SettingError
from features.place import Place
from features.remote import RemotePath
from features.spec import FeatureSpec

SPACE_NAME = "space.json"
USED_NAME = re.compile(r"used-\d+")
REMOTE_USE_SECONDS = 3600.0
"""On object storage the time of last use is put anew when it is older: a put is a request."""

SHARD = re.compile(r"[0-9a-f]{32}\.parquet")
FINGERPRINT = re.compile(r"[0-9a-f]{24}")


@dataclass(frozen=True)
class SpaceCard:
    """One space.

    Attributes:
        spec: what a vector there is.
        model: the encoder's name as the user gave it; a folder's absolute path.
    """

    spec: FeatureSpec
    model: str = ""

    def to_bytes(self) -> bytes:
        """JSON: ``{"model": ..., "spec": {...}}``."""
        values = {"model": self.model, "spec": self.spec.to_dict()}
        return (json.dumps(values, indent=1, sort_keys=True) + "\n").encode("ascii")

    @classmethod
    def from_bytes(cls, data: bytes) -> SpaceCard:
        """The card that ``to_bytes`` wrote.

        Raises:
            ValueError: anything else.
        """
        try:
            values = json.loads(data)
            return cls(FeatureSpec.from_dict(values["spec"]), str(values["model"]))
        except (LookupError, TypeError, RecursionError, SettingError) as error:
            raise ValueError(f"no card of a space: {error}") from error


def read_card(folder: Place) -> SpaceCard:
    """The card of a space's folder.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no card, or one of another space.
    """
    card = SpaceCard.from_bytes(read_file(folder / SPACE_NAME))
    if card.spec.fingerprint != folder.name:
        raise ValueError(f"its spec has the fingerprint {card.spec.fingerprint}")
    return card


def space_folders(root: Place) -> list[Place]:
    """The folders of all spaces in a cache, by name; none where there is no cache.

    Raises:
        CacheError, RemoteError: the cache cannot be read.
    """
    try:
        with reading(root):
            return sorted(
                path
                for path in root.iterdir()
                if FINGERPRINT.fullmatch(path.name) and path.is_dir()
            )
    except FileNotFoundError:
        return []


def existing_cache(root: Place) -> Place:
    """The cache, if there is one. Raises ``CacheError`` where there is none."""
    if not root.is_dir():
        raise CacheError(f"there is no cache folder {root}; name it with --cache")
    return root


def is_cache(root: Place) -> bool:
    """Whether a folder is a cache: it holds a space, or the lock of those who tidied it."""
    return (root / LOCK_NAME).is_file() or any(map(is_space, space_folders(root)))


def is_space(folder: Place) -> bool:
    """Whether a folder with the name of a space holds anything that only a space holds."""
    if (folder / SPACE_NAME).is_file():
        return True
    return any(SHARD.fullmatch(path.name) for path in folder.iterdir())


def touch(folder: Place) -> None:
    """Note that a space was used now. A cache that cannot be written keeps its old time."""
    card = folder / SPACE_NAME
    with suppress(OSError, RemoteError, AttributeError):  # Windows has no user ids
        if isinstance(card, RemotePath):
            if time.time() - card.stat().st_mtime > REMOTE_USE_SECONDS:
                card.write_bytes(card.read_bytes())
            return
        try:
            os.utime(card)
        except PermissionError:  # another user's
            mark = card.with_name(f"used-{os.getuid()}")
            os.close(os.open(mark, os.O_WRONLY | os.O_CREAT, FILE_MODE))
            os.utime(mark)


def use_marks(folder: Place) -> list[Path]:
    """The files by which users who may not change the card say when they used the space."""
    if isinstance(folder, RemotePath):
        return []
    return [path for path in folder.glob("used-*") if USED_NAME.fullmatch(path.name)]


def last_use(folder: Place) -> datetime:
    """When a space was used last. Raises ``FileNotFoundError`` where there is none any more."""
    times = [(folder / SPACE_NAME).stat().st_mtime]
    for mark in use_marks(folder):
        with suppress(FileNotFoundError):
            times.append(mark.stat().st_mtime)
    return datetime.fromtimestamp(max(times), UTC)
