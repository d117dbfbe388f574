"""Compaction: join the small shards of a space into large ones.

    commit the joined shard  ->  remove its parts  ->  write the index

A crash in between leaves some texts stored twice; the next compaction removes the repeats.
Readers and writers continue meanwhile: if a shard vanishes, a reader lists the folder again and
finds the texts in the joined shard.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from features.errors import CacheError
from features.storage.files import writing
from features.storage.storage import exclusive, storage_of
from features.store.shards.shard import (
    MAX_TEXTS,
    SUFFIX,
    ShardRows,
    StoredRows,
    serialize_stored,
)
from features.store.space import Space

TARGET_BYTES = 128 * 2**20
"""Target size of a joined shard in bytes: few files for a large corpus, bounded memory."""

SMALL = 0.5
"""A shard below this share of the target size is joined with others."""


@dataclass(frozen=True)
class Compaction:
    """The result for one space: shards before and after, and removed repeats of texts."""

    shards_before: int
    shards_after: int
    repeats: int


def compact(
    space: Space,
    target: int = TARGET_BYTES,
    on_shard: Callable[[], None] = lambda: None,
    *,
    max_texts: int = MAX_TEXTS,
    small: float = SMALL,
    leave: Collection[str] = (),
) -> Compaction:
    """Join the small shards of a space, in the order in which they were committed.

    Args:
        target: maximum bytes of a joined shard.
        on_shard: called after every shard that was joined.
        max_texts: maximum texts of a joined shard, at most ``MAX_TEXTS``.
        small: a shard below this share of both maxima is joined with others.
        leave: names of shards to leave alone.

    Raises:
        CacheError: another process holds the maintenance lock, or the folder cannot be written.
        DiskSpaceError: there is no room for a joined shard; nothing is lost.
        CorruptShardError: a shard does not match its digest.
    """
    with exclusive(space.folder.parent):
        space.sweep()
        space.refresh()
        before = len(space.index.shards)
        repeats = sum(space.index.texts) - len(space)
        for group in plan(space, target, max_texts, small, leave):
            rewrite(space, group, np.ones(len(space), bool))
            for _ in group:
                on_shard()
        space.save_index(required=True)
        return Compaction(before, len(space.index.shards), repeats)


def plan(
    space: Space, target: int, max_texts: int, small: float, leave: Collection[str]
) -> list[list[str]]:
    """Return groups of names of shards to join.

    A shard with a text that another shard holds too is rewritten in any case.
    """
    placed = np.bincount(space.index.shard, minlength=len(space.index.shards))
    groups: list[list[str]] = [[]]
    total = count = 0
    doubled: set[str] = set()
    for name, held, texts in zip(space.index.shards, placed, space.index.texts, strict=True):
        if name in leave:
            continue
        size = _size(space, name)
        if held < texts:
            doubled.add(name)
        elif size >= small * target or texts >= small * max_texts:
            continue
        if groups[-1] and (total + size > target or count + texts > max_texts):
            groups.append([])
            total = count = 0
        groups[-1].append(name)
        total += size
        count += texts
    return [group for group in groups if len(group) > 1 or doubled & set(group)]


def rewrite(space: Space, names: list[str], keep: np.ndarray) -> None:
    """Replace some shards by one with those of their texts that the index finds in them.

    A text that the index finds in another existing shard is a repeat and is left out.

    Args:
        keep: (n,) bool, which texts of the space's index to keep.
    """
    stored = [part for name in names if (part := _rows_to_copy(space, name, keep)) is not None]
    fresh = ""
    if stored:
        rows = ShardRows(
            *(
                np.concatenate([getattr(part.rows, column) for part in stored])
                for column in ("keys", "tokens", "lengths")
            )
        )
        vectors = np.concatenate([part.vectors for part in stored])
        data = serialize_stored(space.spec, StoredRows(rows, vectors))
        fresh = space.commit_bytes(data, rows)
    with writing(space.folder):
        gone = [f"{name}{SUFFIX}" for name in names if name != fresh]
        storage_of(space.folder).remove(gone)


def _rows_to_copy(space: Space, name: str, keep: np.ndarray) -> StoredRows | None:
    """Return the rows of a shard that go into the new one, in order; None if there are none.

    Raises:
        CacheError: the shard has vanished; nothing was changed yet.
    """
    if not (space.folder / f"{name}{SUFFIX}").exists():
        raise CacheError(
            f"the shard {name}{SUFFIX} of {space.folder} vanished: something removes files "
            "there; run again when it has finished"
        )
    shard = space.shard(name)
    rows = shard.rows()
    found = space.index.find(rows.keys)
    here = space.index.shards.index(name)
    starts = np.cumsum(rows.lengths, dtype=np.int64) - rows.lengths
    shard_of = space.index.shard[found]
    indexed_here = (shard_of == here) & (space.index.start[found] == starts)
    # Or in a shard that was rewritten just now, maybe into these very bytes: this shard.
    present = space.shard_names()
    moved = np.array([other not in present for other in space.index.shards])[shard_of]
    chosen = np.flatnonzero((indexed_here | moved) & keep[found])
    if not len(chosen):
        return None
    vectors = shard.vectors(space.spec.bytes_per_vector)
    if len(chosen) < len(found):
        lengths = rows.lengths[chosen]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        vectors = vectors[np.repeat(starts[chosen], lengths) + within]
    return StoredRows(
        ShardRows(rows.keys[chosen], rows.tokens[chosen], rows.lengths[chosen]), vectors
    )


def _size(space: Space, name: str) -> int:
    try:
        return (space.folder / f"{name}{SUFFIX}").stat().st_size
    except FileNotFoundError:
        return 0
