"""SpaceCard: what ``space.json`` says of a space, for people and tools.

The spec alone makes the fingerprint. The facts beside it (the encoder's name) are only for
people; the time of the file's last change is the time of the space's last use.
"""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass

from features.durable import reading
from features.errors import CacheError, RemoteError, SettingError
from features.place import Place
from features.remote import RemotePath
from features.spec import FeatureSpec

SPACE_NAME = "space.json"
REMOTE_USE_SECONDS = 3600.0
"""On object storage the time of last use is put anew when it is older: a put is a request."""

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
        except (LookupError, TypeError, SettingError) as error:
            raise ValueError(f"no card of a space: {error}") from error


def read_card(folder: Place) -> SpaceCard:
    """The card of a space's folder.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no card, or one of another space.
    """
    card = SpaceCard.from_bytes((folder / SPACE_NAME).read_bytes())
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


def touch(folder: Place) -> None:
    """Note that a space was used now. A cache that cannot be written keeps its old time."""
    card = folder / SPACE_NAME
    with suppress(OSError, RemoteError):
        if not isinstance(card, RemotePath):
            os.utime(card)
        elif time.time() - card.stat().st_mtime > REMOTE_USE_SECONDS:
            card.write_bytes(card.read_bytes())
