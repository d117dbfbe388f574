"""The plan of an encoding job: what is cached, what is missing, how large it will be."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress, islice

import numpy as np

from features.encoding.units import WorkUnit, cut
from features.errors import DiskSpaceError
from features.messages import gigabytes
from features.storage.location import Location
from features.storage.remote import RemotePath
from features.store.space import Space, lacking
from features.text import text_keys
from features.vectors.sizes import stored_bytes

PLANNED_TEXTS = 4096
"""Texts that planning holds at a time."""

HELD_BYTES = 16 * 2**20
"""Missing texts that a plan keeps, about: few new ones need no second pass over the corpus."""

SPARE_BYTES = 64 * 2**20
"""Room that the disk must keep beside the vectors: the index, and a window under way."""


@dataclass(frozen=True, eq=False)
class EncodingPlan:
    """What one run of the stage will do.

    Attributes:
        keys: (texts,) ``S16``, the key of every text in corpus order.
        distinct: different texts among them.
        missing: positions of the texts to encode: the first of each distinct text that some
            space lacks, in corpus order.
        lacks: (missing, spaces) bool, which spaces lack each of them.
        sizes: (missing,) bytes of each expected to be stored, in the spaces that lack it.
        held: the first missing texts, up to ``HELD_BYTES``; the others are read again.
    """

    keys: np.ndarray
    distinct: int
    missing: np.ndarray
    lacks: np.ndarray
    sizes: np.ndarray
    held: Sequence[str] = ()

    @property
    def cached(self) -> int:
        """Distinct texts that every space holds already."""
        return self.distinct - len(self.missing)

    @property
    def bytes_needed(self) -> int:
        """Disk space that the missing vectors will take, estimated from the texts' lengths."""
        return int(self.sizes.sum())


def plan_encoding(texts: Iterable[str], spaces: Sequence[Space]) -> EncodingPlan:
    """Compare the texts' keys with what the spaces hold: one pass over the texts.

    Raises:
        TypeError: an iterator, which would be used up when the texts are encoded.
        Whatever reading the texts raises, such as ``CorpusError`` at a bad row.
    """
    stream = iter(texts)
    if stream is texts:
        raise TypeError("texts are read again to be encoded: pass a list, not an iterator")
    specs = [space.spec for space in spaces]
    keys, absent = [text_keys(())], [np.zeros((0, len(spaces)), bool)]
    sizes = [np.zeros(0, np.int64)]
    held: list[str] = []
    room = HELD_BYTES
    while batch := list(islice(stream, PLANNED_TEXTS)):
        keys.append(text_keys(batch))
        absent.append(lacking(keys[-1], spaces))
        some = np.logical_or.reduce(absent[-1], axis=1)
        wanted = list(compress(batch, some.tolist()))
        sizes.append(stored_bytes(wanted, specs, absent[-1][some]))
        if room > 0:
            room -= sum(map(sys.getsizeof, wanted))
            held += wanted
    every, lacks = np.concatenate(keys), np.concatenate(absent)
    wanting = lacks.any(axis=1)
    first = np.zeros(len(every), bool)
    first[np.unique(every, return_index=True)[1]] = True
    once = first[wanting]
    return EncodingPlan(
        every,
        int(first.sum()),
        np.flatnonzero(wanting & first),
        lacks[wanting & first],
        np.concatenate(sizes)[once],
        list(compress(held, once.tolist())),
    )


def check_disk(plan: EncodingPlan, root: Location) -> None:
    """Raise ``DiskSpaceError`` where the plan would not fit on the disk of the cache folder."""
    if isinstance(root, RemotePath):  # where there is no end
        return
    existing = next(folder for folder in (root, *root.absolute().parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if len(plan.missing) and plan.bytes_needed + SPARE_BYTES > free:
        raise DiskSpaceError(
            f"encoding {len(plan.missing):,} texts needs about {gigabytes(plan.bytes_needed)} "
            f"in {root}, and {gigabytes(free)} are free; free some space, choose another disk "
            "with --cache, or --layout pooled, which stores one vector per text"
        )


def missing_units(
    plan: EncodingPlan, texts: Iterable[str], parts: Sequence[slice]
) -> Iterator[WorkUnit]:
    """Yield the plan's missing texts as windows in corpus order, each read when it is asked
    for."""
    return cut(_missing_texts(plan, texts), plan.missing, plan.keys[plan.missing], parts)


def _missing_texts(plan: EncodingPlan, texts: Iterable[str]) -> Iterator[str]:
    """Yield the plan's missing texts in order: those it holds, then a second pass for the
    rest."""
    yield from plan.held
    if len(plan.held) < len(plan.missing):
        wanted = np.zeros(len(plan.keys), np.uint8)
        wanted[plan.missing[len(plan.held) :]] = 1
        yield from compress(texts, wanted.tobytes())
