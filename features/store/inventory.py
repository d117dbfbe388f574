"""What a cache holds: one line of facts per space."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from features.storage.location import Location
from features.storage.remote import RemotePath
from features.store.manifest import (
    SpaceManifest,
    card_of,
    last_use,
    read_manifest,
    space_folders,
)
from features.store.space import Space
from features.store.store import FeatureStore


@dataclass(frozen=True)
class SpaceFacts:
    """One space of a cache.

    Attributes:
        folder: where it lies; the name is the fingerprint.
        card: its spec and the encoder's name.
        texts: distinct texts that it has vectors of.
        shards: its files of vectors.
        size: bytes of all its files.
        last_use: when it was last read or written.
    """

    folder: Location
    card: SpaceManifest
    texts: int
    shards: int
    size: int
    last_use: datetime


def inventory(root: Location) -> list[SpaceFacts]:
    """Return the facts of all spaces of a cache whose card can be read, last used first.

    Raises:
        CacheError: the cache cannot be read.
        CorruptShardError: a shard that no index knows cannot be read; see ``verify``.
    """
    facts = []
    for space in open_all(root):
        with suppress(FileNotFoundError):  # removed meanwhile
            facts.append(facts_of(space))
    return sorted(facts, key=lambda one: one.last_use, reverse=True)


def open_all(root: Location) -> Iterator[Space]:
    """Yield every space of a cache whose card can be read, by fingerprint."""
    for folder in space_folders(root):
        try:
            card = read_manifest(folder)
        except (OSError, ValueError):
            continue
        yield FeatureStore(root).space(card.spec, card.model)


def facts_of(space: Space) -> SpaceFacts:
    """Return the facts of one space. Raises ``FileNotFoundError`` where there is none any
    more."""
    return SpaceFacts(
        folder=space.folder,
        card=card_of(space.folder, space.spec, space.model),
        texts=len(space),
        shards=len(space.index.shards),
        size=folder_size(space.folder),
        last_use=last_use(space.folder),
    )


def folder_size(folder: Location) -> int:
    """Return bytes of all files below a folder; 0 where there is none."""
    if isinstance(folder, RemotePath):
        return sum(path.stat().st_size for path in folder.files())
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(parent) / name).stat().st_size
            except FileNotFoundError:  # renamed or removed meanwhile
                continue
    return total


def manifests(root: Location) -> list[SpaceManifest]:
    """Return the cards of all spaces whose card can be read."""
    readable = []
    for folder in space_folders(root):
        try:
            readable.append(read_manifest(folder))
        except (OSError, ValueError):
            continue
    return readable
