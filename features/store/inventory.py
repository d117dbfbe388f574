"""Inventory of a cache: the facts of its spaces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from features.storage.location import Location
from features.storage.storage import storage_of
from features.store.manifest import (
    SpaceManifest,
    last_use,
    manifest_of,
    read_manifest,
    space_folders,
)
from features.store.space import Space
from features.store.store import FeatureStore


@dataclass(frozen=True)
class SpaceFacts:
    """The facts of one space.

    Attributes:
        folder: its folder, named by the fingerprint.
        manifest: its spec and the encoder's name.
        texts: number of distinct texts.
        shards: number of shards.
        size: bytes of all its files.
        last_use: when it was last read or written.
    """

    folder: Location
    manifest: SpaceManifest
    texts: int
    shards: int
    size: int
    last_use: datetime


def inventory(root: Location) -> list[SpaceFacts]:
    """Return the facts of all spaces of a cache with a readable manifest, last used first.

    Raises:
        CacheError: the cache cannot be read.
        CorruptShardError: a shard that is not in the index cannot be read; see ``verify``.
    """
    facts = []
    for space in open_all(root):
        with suppress(FileNotFoundError):  # removed meanwhile
            facts.append(facts_of(space))
    return sorted(facts, key=lambda one: one.last_use, reverse=True)


def open_all(root: Location) -> Iterator[Space]:
    """Yield every space of a cache with a readable manifest, in order of the fingerprints."""
    for folder in space_folders(root):
        try:
            manifest = read_manifest(folder)
        except (OSError, ValueError):
            continue
        yield FeatureStore(root).space(manifest.spec, manifest.model)


def facts_of(space: Space) -> SpaceFacts:
    """Return the facts of a space. Raises ``FileNotFoundError`` if it does not exist."""
    return SpaceFacts(
        folder=space.folder,
        manifest=manifest_of(space.folder, space.spec, space.model),
        texts=len(space),
        shards=len(space.index.shards),
        size=space.storage.size(),
        last_use=last_use(space.folder),
    )


def folder_size(folder: Location) -> int:
    """Return the size of all files below a folder in bytes; 0 if there is no folder."""
    return storage_of(folder).size()


def manifests(root: Location) -> list[SpaceManifest]:
    """Return the readable manifests of all spaces."""
    readable = []
    for folder in space_folders(root):
        try:
            readable.append(read_manifest(folder))
        except (OSError, ValueError):
            continue
    return readable
