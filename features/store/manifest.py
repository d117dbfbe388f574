"""SpaceManifest: what ``space.json`` says of a space, for people and tools.

The spec alone makes the fingerprint. The facts beside it (the encoder's name) are only for
people. The time of the file's last change is the time of the space's last use; users who may
not change it keep the time of theirs beside it, in an empty file ``used-<user id>``.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from features.errors import CacheError, RemoteError, SettingError
from features.storage.files import FILE_MODE, LOCK_NAME, read_file, reading
from features.storage.location import Location
from features.storage.remote import RemotePath
from features.vectors.agreement import Agreement
from features.vectors.spec import FeatureSpec

SPACE_NAME = "space.json"
USED_NAME = re.compile(r"used-\d+")
REMOTE_USE_SECONDS = 3600.0
"""On object storage the time of last use is put anew when it is older: a put is a request."""

SHARD = re.compile(r"[0-9a-f]{32}\.parquet")
FINGERPRINT = re.compile(r"[0-9a-f]{24}")


@dataclass(frozen=True)
class SpaceManifest:
    """One space.

    Attributes:
        spec: what a vector there is.
        model: the encoder's name as the user gave it; a folder's absolute path.
        probes: what the probe found before the space was filled, by back end and kind of
            device, such as ``torch on cpu``; none in spaces of earlier versions.
    """

    spec: FeatureSpec
    model: str = ""
    probes: Mapping[str, Agreement] = field(default_factory=dict)

    @property
    def unpadded(self) -> bool:
        """Whether texts share a batch only with texts of as many tokens."""
        return any(probe.unpadded for probe in self.probes.values())

    def to_bytes(self) -> bytes:
        """Return JSON: ``{"model": ..., "spec": {...}}``, and ``probes`` where there are
        any."""
        values = {"model": self.model, "spec": self.spec.to_dict()}
        if self.probes:
            values["probes"] = {way: one.to_dict() for way, one in self.probes.items()}
        return (json.dumps(values, indent=1, sort_keys=True) + "\n").encode("ascii")

    @classmethod
    def from_bytes(cls, data: bytes) -> SpaceManifest:
        """Return the card that ``to_bytes`` wrote.

        Raises:
            ValueError: anything else.
        """
        try:
            values = json.loads(data)
            probes = values.get("probes", {}).items()
            return cls(
                FeatureSpec.from_dict(values["spec"]),
                str(values["model"]),
                {way: Agreement.from_dict(one) for way, one in probes},
            )
        except (LookupError, TypeError, AttributeError, RecursionError, SettingError) as error:
            raise ValueError(f"no card of a space: {error}") from error


def read_manifest(folder: Location) -> SpaceManifest:
    """Return the card of a space's folder.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no card, or one of another space.
    """
    card = SpaceManifest.from_bytes(read_file(folder / SPACE_NAME))
    if card.spec.fingerprint != folder.name:
        raise ValueError(f"its spec has the fingerprint {card.spec.fingerprint}")
    return card


def card_of(folder: Location, spec: FeatureSpec, model: str) -> SpaceManifest:
    """Return the card in a space's folder; a new one where there is none that can be read."""
    try:
        return read_manifest(folder)
    except (OSError, ValueError):
        return SpaceManifest(spec, model)


def space_folders(root: Location) -> list[Location]:
    """Return the folders of all spaces in a cache, by name; none where there is no cache.

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


def existing_cache(root: Location) -> Location:
    """Return the cache, if there is one. Raises ``CacheError`` where there is none."""
    if not root.is_dir():
        raise CacheError(f"there is no cache folder {root}; name it with --cache")
    return root


def is_cache(root: Location) -> bool:
    """Return whether a folder is a cache: it holds a space, or the lock of those who tidied
    it."""
    return (root / LOCK_NAME).is_file() or any(map(is_space, space_folders(root)))


def is_space(folder: Location) -> bool:
    """Return whether a folder with the name of a space holds anything that only a space
    holds."""
    if (folder / SPACE_NAME).is_file():
        return True
    return any(SHARD.fullmatch(path.name) for path in folder.iterdir())


def touch(folder: Location) -> None:
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


def use_marks(folder: Location) -> list[Path]:
    """Return the files by which users who may not change the card say when they used the
    space."""
    if isinstance(folder, RemotePath):
        return []
    return [path for path in folder.glob("used-*") if USED_NAME.fullmatch(path.name)]


def last_use(folder: Location) -> datetime:
    """Return when a space was used last. Raises ``FileNotFoundError`` where there is none any
    more."""
    times = [(folder / SPACE_NAME).stat().st_mtime]
    for mark in use_marks(folder):
        with suppress(FileNotFoundError):
            times.append(mark.stat().st_mtime)
    return datetime.fromtimestamp(max(times), UTC)
