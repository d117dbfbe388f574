"""The encoding job: a plan's units of work, run by whatever executor encodes them."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from features.encoding.bad_vectors import BadTexts
from features.encoding.pace import Units
from features.encoding.plan import EncodingPlan, missing_units
from features.encoding.units import WorkQueue
from features.encoding.work import WorkResult
from features.errors import CacheError, DiskSpaceError, RemoteError
from features.store.compaction import compact
from features.store.manifest import touch
from features.store.space import Space, lacking
from features.vectors.ragged import slices_by_size

UNIT_TEXTS = 2048
UNIT_BYTES = 64 * 2**20
"""A window is a shard of useful size, and large enough to batch texts of like length."""

MANY_SMALL = 8
"""Shards of fewer texts than a window from which all are joined, not just those of a run."""


@dataclass(frozen=True)
class EncodingReport:
    """What one run of the stage did.

    Attributes:
        encoded: texts that it encoded itself.
        tokens: theirs, before truncation.
        seconds: taken in all, and of them
        loading: until the encoder was there.
        backend: what ran the encoder at the end; '' where it does not say.
        devices: that encoded, one entry per process; none where the encoder does not say.
    """

    encoded: int
    tokens: int
    seconds: float
    loading: float = 0.0
    backend: str = ""
    devices: tuple[str, ...] = ()


class Executor(Protocol):
    """Where units of work are encoded and committed.

    Attributes:
        devices: that encode, one entry per process; none where the encoder does not say.
        loading: seconds until the first encoder was there.
        backend: what runs the encoder; '' where it does not say.
    """

    devices: tuple[str, ...]
    loading: float
    backend: str

    def run(self, units: Units, spaces: Sequence[Space]) -> Iterator[WorkResult]:
        """Work off all units; ``WorkResult`` as each is committed."""
        ...

    def check(self, left: int, bad: BadTexts) -> None:
        """Raise an error where texts are left over that are not among the bad ones."""
        ...


def run_plan(
    plan: EncodingPlan,
    texts: Iterable[str],
    spaces: Sequence[Space],
    executor: Executor,
    most_texts: int | None = None,
) -> EncodingReport:
    """Encode the plan's missing texts wherever the executor does, and join small shards.

    Args:
        most_texts: texts per window at most, if fewer than ``UNIT_TEXTS``.

    Raises:
        ManyheadsError: as ``encode``, and what the executor raises.
    """
    start = time.perf_counter()
    encoded = tokens = 0
    bad = BadTexts()
    for space in spaces:
        space.sweep()
        touch(space.folder)
    stood = {name for space in spaces for name in space.index.shards}
    parts = slices_by_size(plan.sizes, most_texts or UNIT_TEXTS, UNIT_BYTES)
    units = Units(WorkQueue(missing_units(plan, texts, parts)))
    for done in executor.run(units, spaces) if parts else ():
        bad.add(done.bad, done.large)
        units.cut |= done.commits > 1
        units.queue.shared |= done.shared
        encoded += done.encoded
        tokens += done.tokens
    for space in spaces:
        if parts and _small_shards(space) >= MANY_SMALL:
            _join(space, ())
        elif units.cut:
            _join(space, stood)
        space.save_index()
    left = lacking(plan.keys[plan.missing], spaces).any(axis=1).sum()
    executor.check(int(left) - len(bad.rows), bad)
    bad.refuse()
    seconds = time.perf_counter() - start
    return EncodingReport(
        encoded, tokens, seconds, executor.loading, executor.backend, executor.devices
    )


def _small_shards(space: Space) -> int:
    """Count the shards with fewer texts than a window, such as those of killed runs."""
    return sum(texts < UNIT_TEXTS for texts in space.index.texts)


def _join(space: Space, leave: Collection[str]) -> None:
    """Join small shards up to the size of a window, unless something keeps us from it."""
    with suppress(CacheError, DiskSpaceError, RemoteError):
        compact(space, UNIT_BYTES, most_texts=UNIT_TEXTS, small=1.0, leave=leave)
