"""The plan of an encoding job: which texts are missing, and how many bytes they will take."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress, islice

import numpy as np

from features.encoding.units import WorkUnit, cut
from features.errors import DiskSpaceError
from features.messages import gigabytes
from features.storage.location import Location
from features.storage.storage import storage_of
from features.store.space import Space, missing_by_space
from features.text.keys import text_keys
from features.vectors.sizes import stored_bytes

PLANNED_TEXTS = 4096
"""Texts in memory at a time while planning."""

HELD_BYTES = 16 * 2**20
"""Bytes of missing texts that a plan holds, about: a few new texts need no second pass."""

SPARE_BYTES = 64 * 2**20
"""Bytes to leave free on the disk, for the index and an unfinished shard."""


@dataclass(frozen=True, eq=False)
class EncodingPlan:
    """What a run of the encoding stage will do.

    Attributes:
        keys: (texts,) ``S16``, the key of every text in corpus order.
        distinct: number of distinct texts.
        missing: (missing,) int64 rows of the texts to encode, in corpus order: the first row of
            each distinct text that is missing from some space.
        missing_by_space: (missing, spaces) bool, which of them are missing from which spaces.
        sizes: (missing,) int64, expected bytes of each in the spaces from which it is missing.
        held: the first missing texts, up to ``held_bytes``; the others are read again.
    """

    keys: np.ndarray
    distinct: int
    missing: np.ndarray
    missing_by_space: np.ndarray
    sizes: np.ndarray
    held: Sequence[str] = ()

    @property
    def cached(self) -> int:
        """Number of distinct texts that all spaces have already."""
        return self.distinct - len(self.missing)

    @property
    def bytes_needed(self) -> int:
        """Estimated bytes on disk of the missing vectors."""
        return int(self.sizes.sum())


def plan_encoding(
    texts: Iterable[str],
    spaces: Sequence[Space],
    *,
    batch_texts: int = PLANNED_TEXTS,
    held_bytes: int = HELD_BYTES,
) -> EncodingPlan:
    """Compare the texts with what the spaces hold, in one pass over the texts.

    Args:
        texts: the corpus, as an iterable that can be iterated again.
        spaces: the spaces to fill.
        batch_texts: texts in memory at a time.
        held_bytes: bytes of missing texts that the plan holds, about.

    Raises:
        TypeError: ``texts`` is an iterator, which could not be read a second time.
        ManyheadsError: errors of reading the texts, such as ``CorpusError`` for a bad row.
    """
    stream = iter(texts)
    if stream is texts:
        raise TypeError("texts are read again to be encoded: pass a list, not an iterator")
    specs = [space.spec for space in spaces]
    keys, absent = [text_keys(())], [np.zeros((0, len(spaces)), bool)]
    sizes = [np.zeros(0, np.int64)]
    held: list[str] = []
    room = held_bytes
    while batch := list(islice(stream, batch_texts)):
        keys.append(text_keys(batch))
        absent.append(missing_by_space(keys[-1], spaces))
        some = np.logical_or.reduce(absent[-1], axis=1)
        wanted = list(compress(batch, some.tolist()))
        sizes.append(stored_bytes(wanted, specs, absent[-1][some]))
        if room > 0:
            room -= sum(map(sys.getsizeof, wanted))
            held += wanted
    all_keys, missing = np.concatenate(keys), np.concatenate(absent)
    missing_some = missing.any(axis=1)
    first = np.zeros(len(all_keys), bool)
    first[np.unique(all_keys, return_index=True)[1]] = True
    once = first[missing_some]
    return EncodingPlan(
        all_keys,
        int(first.sum()),
        np.flatnonzero(missing_some & first),
        missing[missing_some & first],
        np.concatenate(sizes)[once],
        list(compress(held, once.tolist())),
    )


def check_disk(plan: EncodingPlan, root: Location) -> None:
    """Raise ``DiskSpaceError`` if the plan does not fit on the disk of the cache folder."""
    free = storage_of(root).free_bytes()
    if len(plan.missing) and plan.bytes_needed + SPARE_BYTES > free:
        raise DiskSpaceError(
            f"encoding {len(plan.missing):,} texts needs about {gigabytes(plan.bytes_needed)} "
            f"in {root}, and {gigabytes(int(free))} are free; free some space, choose another "
            "disk with --cache, or --layout pooled, which stores one vector per text"
        )


def missing_units(
    plan: EncodingPlan, texts: Iterable[str], parts: Sequence[slice]
) -> Iterator[WorkUnit]:
    """Yield the plan's missing texts as units in corpus order, each read on demand."""
    return cut(_missing_texts(plan, texts), plan.missing, plan.keys[plan.missing], parts)


def _missing_texts(plan: EncodingPlan, texts: Iterable[str]) -> Iterator[str]:
    """Yield the missing texts in order: those in memory, then the rest in a second pass."""
    yield from plan.held
    if len(plan.held) < len(plan.missing):
        wanted = np.zeros(len(plan.keys), np.uint8)
        wanted[plan.missing[len(plan.held) :]] = 1
        yield from compress(texts, wanted.tobytes())
