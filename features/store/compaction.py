"""Compact: small shards of a space joined into large ones.

    commit the joined shard  ->  remove the shards it was made of  ->  write the index

A crash between two steps leaves texts that are stored twice and nothing else; the next
compaction removes the copies. Readers and writers go on meanwhile: a reader whose shard
vanishes looks at the folder again and finds the texts in the joined one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from features.errors import CacheError
from features.storage.files import exclusive, sync_folder, writing
from features.store.shards.shard import (
    MAX_TEXTS,
    SUFFIX,
    ShardRows,
    StoredRows,
    serialize_stored,
)
from features.store.space import Space

TARGET_BYTES = 128 * 2**20
"""Size of a joined shard: few files for a large corpus, and bounded memory while joining."""

SMALL = 0.5
"""A shard below this share of the target is joined with others."""


@dataclass(frozen=True)
class Compaction:
    """What a compaction did to one space: shards before and after, copies of texts removed."""

    shards_before: int
    shards_after: int
    copies: int


def compact(
    space: Space,
    target: int = TARGET_BYTES,
    on_shard: Callable[[], None] = lambda: None,
    *,
    most_texts: int = MAX_TEXTS,
    small: float = SMALL,
    leave: Collection[str] = (),
) -> Compaction:
    """Join the small shards of a space, in the order in which they came.

    Args:
        target: bytes of a joined shard at the most.
        on_shard: called after every shard that was joined.
        most_texts: texts of a joined shard at the most; ``MAX_TEXTS`` or fewer.
        small: a shard below this share of both is joined with others.
        leave: names of shards that stay as they are.

    Raises:
        CacheError: another process is tidying, or the folder cannot be written.
        DiskSpaceError: no room for a joined shard beside its parts; nothing is lost.
        CorruptShardError: a shard does not match its digest.
    """
    with exclusive(space.folder.parent):
        space.sweep()
        space.refresh()
        before = len(space.index.shards)
        copies = sum(space.index.texts) - len(space)
        for group in plan(space, target, most_texts, small, leave):
            rewrite(space, group, np.ones(len(space), bool))
            for _ in group:
                on_shard()
        space.save_index(required=True)
        return Compaction(before, len(space.index.shards), copies)


def plan(
    space: Space, target: int, most_texts: int, small: float, leave: Collection[str]
) -> list[list[str]]:
    """Which shards are joined with which: pure but for the sizes of the files.

    Shards that hold a text a second time are rewritten in any case.
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
        elif size >= small * target or texts >= small * most_texts:
            continue
        if groups[-1] and (total + size > target or count + texts > most_texts):
            groups.append([])
            total = count = 0
        groups[-1].append(name)
        total += size
        count += texts
    return [group for group in groups if len(group) > 1 or doubled & set(group)]


def rewrite(space: Space, names: list[str], keep: np.ndarray) -> None:
    """Replace some shards by one with those of their texts that are placed there and kept.

    Texts that are placed in another shard, which is there, are copies.

    Args:
        keep: (n,) bool over the index of the space.
    """
    stored = [part for name in names if (part := _kept(space, name, keep)) is not None]
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
        for name in names:
            if name != fresh:
                (space.folder / f"{name}{SUFFIX}").unlink(missing_ok=True)
        sync_folder(space.folder)


def _kept(space: Space, name: str, keep: np.ndarray) -> StoredRows | None:
    """What a shard gives to the new one, in its own order; None for nothing.

    Raises:
        CacheError: it has vanished, and nothing was changed yet.
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
    place = space.index.shard[found]
    own = (place == here) & (space.index.start[found] == starts)
    # Or in a shard that was rewritten just now, maybe into these very bytes: this shard.
    present = space.shard_names()
    moved = np.array([other not in present for other in space.index.shards])[place]
    chosen = np.flatnonzero((own | moved) & keep[found])
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
