"""Collect: remove from a cache what no data set needs any more.

    plan_collection(...)     what would go; touches nothing
    collect(...)             does it

A space goes whole when it was last used before a date, or holds no text that is kept.
Shards that are needed in part are written anew without the rest, before they are removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from features.compact import rewrite
from features.durable import exclusive, remove_tree, writing
from features.inventory import SpaceFacts, facts_of, last_use, open_all
from features.mirror import drop_copies
from features.place import Place
from features.store import FeatureStore, Space


@dataclass(frozen=True)
class Removal:
    """What goes from one space.

    Attributes:
        space: its facts now.
        texts: how many of its texts go.
        size: bytes that are set free, about.
        reason: why, for people.
    """

    space: SpaceFacts
    texts: int
    size: int
    reason: str

    @property
    def whole(self) -> bool:
        """Whether the space goes with its folder."""
        return self.texts == self.space.texts


def plan_collection(
    root: Place, keep: np.ndarray | None, older_than: datetime | None
) -> list[Removal]:
    """What ``collect`` would remove.

    Args:
        root: the cache.
        keep: (N,) ``S16``, the keys of all texts that are still needed; None: all are.
        older_than: spaces last used before it go whole; None: none do.
    """
    removals = []
    for space in open_all(root):
        facts = facts_of(space)
        if older_than is not None and facts.last_use < older_than:
            reason = f"last used {facts.last_use:%Y-%m-%d}"
            removals.append(Removal(facts, facts.texts, facts.size, reason))
            continue
        gone = int((~_needed(space, keep)).sum())
        if gone:
            share = int(facts.size * gone / facts.texts)
            removals.append(Removal(facts, gone, share, "in none of the data sets"))
    return removals


def collect(root: Place, removals: Sequence[Removal], keep: np.ndarray | None) -> None:
    """Remove what a plan says. Texts that were added since the plan stay.

    A space that was used since the plan, such as one that is being filled, does not go whole.

    Raises:
        CacheError: another process is tidying, or the cache cannot be written.
    """
    with exclusive(root), writing(root):
        for removal in removals:
            folder, card = removal.space.folder, removal.space.card
            if removal.whole and not last_use(folder) > removal.space.last_use:
                remove_tree(folder)
                drop_copies(folder)
            elif keep is not None:
                _shrink(FeatureStore(root).space(card.spec, card.model), keep)


def _shrink(space: Space, keep: np.ndarray | None) -> None:
    needed, before = _needed(space, keep), space.index
    for number, name in enumerate(before.shards):
        if not needed[before.shard == number].all():
            rewrite(space, [name], needed)
    space.save_index()


def _needed(space: Space, keep: np.ndarray | None) -> np.ndarray:
    """(n,) bool over the index of a space."""
    if keep is None:
        return np.ones(len(space), bool)
    return np.isin(space.index.keys, keep)
