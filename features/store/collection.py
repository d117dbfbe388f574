"""Garbage collection: remove from a cache what no data set needs any more.

    plan_collection(...)     returns what would be removed; changes nothing
    collect(...)             removes it

A space is removed with its folder if it was last used before a date, or if no text of it is
needed.

    remove the index  ->  commit what remains of a shard, remove the shard  ->  write the index

Only texts that the plan saw are removed. If a collection is interrupted, some texts that should
have been removed are still there and the index is missing; the next collection finishes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from features.storage.files import writing
from features.storage.location import Location
from features.storage.storage import exclusive, storage_of
from features.store.compaction import rewrite
from features.store.inventory import SpaceFacts, facts_of, open_all
from features.store.manifest import SPACE_NAME, last_use, space_folders, use_marks
from features.store.space import Space
from features.store.store import FeatureStore


@dataclass(frozen=True)
class Removal:
    """What to remove from one space.

    Attributes:
        space: the facts of the space when the plan was made.
        texts: number of texts to remove.
        size: bytes that this frees, about.
        reason: why, for the user.
        keys: (texts,) ``S16``, keys of the texts to remove.
        unused: whether the reason is the space's age alone; then it stays if it is used again.
    """

    space: SpaceFacts
    texts: int
    size: int
    reason: str
    keys: np.ndarray = field(repr=False, compare=False)
    unused: bool = False

    @property
    def whole(self) -> bool:
        """Whether the space is removed with its folder."""
        return self.texts == self.space.texts


def plan_collection(
    root: Location, keep: np.ndarray | None, older_than: datetime | None
) -> list[Removal]:
    """Return what ``collect`` would remove.

    Args:
        root: the cache.
        keep: (N,) ``S16``, keys of all texts that are still needed; None: all are needed.
        older_than: remove spaces last used before this; None: keep old spaces.
    """
    removals = []
    for space in open_all(root):
        with suppress(FileNotFoundError):  # removed meanwhile
            facts, keys = facts_of(space), space.index.keys
            if older_than is not None and facts.last_use < older_than:
                reason = f"last used {facts.last_use:%Y-%m-%d}"
                removals.append(Removal(facts, facts.texts, facts.size, reason, keys, True))
                continue
            gone = keys[~np.isin(keys, keep)] if keep is not None else keys[:0]
            if len(gone):
                share = int(facts.size * len(gone) / facts.texts)
                reason = "in none of the data sets"
                removals.append(Removal(facts, len(gone), share, reason, gone))
            elif not facts.texts and keep is not None:
                removals.append(Removal(facts, 0, facts.size, "holds no text", keys))
    return removals


def collect(root: Location, removals: Sequence[Removal], keep: np.ndarray | None) -> None:
    """Remove what a plan says. Texts that were added after the plan stay.

    A space that was to be removed for its age stays if it was used after the plan. An
    interrupted earlier collection is finished, even if there is nothing else to remove.

    Args:
        root: the cache.
        removals: as ``plan_collection`` returned them.
        keep: as for ``plan_collection``.

    Raises:
        CacheError: another process holds the maintenance lock, or the cache cannot be written.
    """
    with writing(root):
        for folder in space_folders(root):
            storage_of(folder).sweep()
    stale = any(space.stale for space in open_all(root))
    if not (removals or stale or any(map(_empty, space_folders(root)))):
        return
    with exclusive(root), writing(root):
        for removal in removals:
            manifest, gone = removal.space.manifest, removal.keys
            if removal.unused and _used_since(removal):
                gone = gone[~np.isin(gone, keep)] if keep is not None else gone[:0]
            space = FeatureStore(root).space(manifest.spec, manifest.model)
            if len(gone):
                _shrink(space, ~np.isin(space.index.keys, gone))
            if removal.whole and not len(space) and not _used_since(removal):
                _remove_empty(space)
        for folder in filter(_empty, space_folders(root)):
            with suppress(OSError):  # something was put in it just now
                storage_of(folder).remove_folder()
        for space in open_all(root):
            space.save_index(required=True)


def _empty(folder: Location) -> bool:
    """Return whether a folder exists and is empty."""
    storage = storage_of(folder)
    with suppress(FileNotFoundError):
        return storage.empty_folders and not storage.names()
    return False


def _used_since(removal: Removal) -> bool:
    try:
        return last_use(removal.space.folder) > removal.space.last_use
    except FileNotFoundError:  # removed meanwhile
        return False


def _shrink(space: Space, needed: np.ndarray) -> None:
    """Rewrite the shards that hold texts to remove, or texts that another shard holds too.

    Args:
        needed: (n,) bool, one value per text of the space's index.
    """
    before = space.index
    space.drop_index()
    for name, texts, placed in zip(
        before.shards, before.texts, before.rows_by_shard(), strict=True
    ):
        if len(placed) < texts or not needed[placed].all():
            rewrite(space, [name], needed)
    space.refresh()


def _remove_empty(space: Space) -> None:
    """Remove the folder of a space without shards, unless it holds anything else."""
    if space.shard_names():
        return
    space.sweep()
    space.drop_index()
    storage = storage_of(space.folder)
    storage.remove([SPACE_NAME, *(mark.name for mark in use_marks(space.folder))])
    with suppress(OSError):
        storage.remove_folder()
    if space.shard_names():  # committed at this moment
        space.write_manifest()
