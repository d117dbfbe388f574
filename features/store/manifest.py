"""SpaceManifest: the file ``space.json``, which describes a space to people and tools.

The fingerprint depends on the spec alone; the encoder's name is information. The file's time of
change is the time of the space's last use. A user who may not change the file records the last
use in an empty file ``used-<user id>`` beside it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from features.errors import CacheError, ManyheadsError, SettingError
from features.storage.files import LOCK_NAME, reading
from features.storage.location import Location
from features.storage.storage import storage_of
from features.vectors.agreement import Agreement
from features.vectors.spec import FeatureSpec

SPACE_NAME = "space.json"
USED_NAME = re.compile(r"used-\d+")

SHARD = re.compile(r"[0-9a-f]{32}\.parquet")
FINGERPRINT = re.compile(r"[0-9a-f]{24}")


@dataclass(frozen=True)
class SpaceManifest:
    """The manifest of one space.

    Attributes:
        spec: what determines its vectors.
        model: the encoder's name as the user gave it; an absolute path for a folder.
        probes: results of the probe, by back end and kind of device, such as ``torch on cpu``;
            empty in spaces of earlier versions.
    """

    spec: FeatureSpec
    model: str = ""
    probes: Mapping[str, Agreement] = field(default_factory=dict)

    @property
    def unpadded(self) -> bool:
        """Whether only texts with the same number of tokens share a batch."""
        return any(probe.unpadded for probe in self.probes.values())

    def to_bytes(self) -> bytes:
        """Serialize to JSON: ``{"model": ..., "spec": {...}}``, and ``probes`` if there are
        any.
        """
        values = {"model": self.model, "spec": self.spec.to_dict()}
        if self.probes:
            values["probes"] = {way: one.to_dict() for way, one in self.probes.items()}
        return (json.dumps(values, indent=1, sort_keys=True) + "\n").encode("ascii")

    @classmethod
    def from_bytes(cls, data: bytes) -> SpaceManifest:
        """Read what ``to_bytes`` wrote.

        Raises:
            ValueError: the bytes are not a manifest.
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
            raise ValueError(f"no manifest of a space: {error}") from error


def read_manifest(folder: Location) -> SpaceManifest:
    """Read the manifest of a space's folder.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged, or the manifest of another space.
    """
    manifest = SpaceManifest.from_bytes(storage_of(folder).read(SPACE_NAME))
    if manifest.spec.fingerprint != folder.name:
        raise ValueError(f"its spec has the fingerprint {manifest.spec.fingerprint}")
    return manifest


def manifest_of(folder: Location, spec: FeatureSpec, model: str) -> SpaceManifest:
    """Read the manifest in a space's folder; return a new one if it cannot be read."""
    try:
        return read_manifest(folder)
    except (OSError, ValueError):
        return SpaceManifest(spec, model)


def space_folders(root: Location) -> list[Location]:
    """Return the folders of all spaces in a cache by name; none if there is no cache.

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
    """Return the cache folder. Raises ``CacheError`` if it does not exist."""
    if not root.is_dir():
        raise CacheError(f"there is no cache folder {root}; name it with --cache")
    return root


def is_cache(root: Location) -> bool:
    """Return whether a folder is a cache: it holds a space or the maintenance lock."""
    return (root / LOCK_NAME).is_file() or any(map(is_space, space_folders(root)))


def is_space(folder: Location) -> bool:
    """Return whether a folder with the name of a space holds a manifest or a shard."""
    if (folder / SPACE_NAME).is_file():
        return True
    return any(SHARD.fullmatch(path.name) for path in folder.iterdir())


def touch(folder: Location) -> None:
    """Record that a space was used now; a cache that cannot be written keeps its old time."""
    storage = storage_of(folder)
    with suppress(OSError, ManyheadsError, AttributeError):  # Windows has no user ids
        try:
            storage.touch(SPACE_NAME)
        except PermissionError:  # another user's
            mark = f"used-{os.getuid()}"
            try:
                storage.touch(mark)
            except FileNotFoundError:
                storage.put(mark, b"")


def use_marks(folder: Location) -> list[Location]:
    """Return the files in which users who may not change the manifest record the last use."""
    return [path for path in folder.glob("used-*") if USED_NAME.fullmatch(path.name)]


def last_use(folder: Location) -> datetime:
    """Return the time of a space's last use. Raises ``FileNotFoundError``: no such space."""
    times = [(folder / SPACE_NAME).stat().st_mtime]
    for mark in use_marks(folder):
        with suppress(FileNotFoundError):
            times.append(mark.stat().st_mtime)
    return datetime.fromtimestamp(max(times), UTC)
