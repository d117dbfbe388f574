"""The encoding job: the units of work of a plan, run by any executor."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from features.encoding.bad_vectors import BadTexts
from features.encoding.pace import IndexClock, Units
from features.encoding.plan import EncodingPlan, missing_units
from features.encoding.units import WorkQueue
from features.encoding.work import WorkResult
from features.errors import CacheError, DiskSpaceError, RemoteError
from features.store.compaction import compact
from features.store.manifest import touch
from features.store.space import Space, missing_by_space
from features.vectors.ragged import slices_by_size

UNIT_TEXTS = 2048
"""Maximum texts per unit of work."""

UNIT_BYTES = 64 * 2**20
"""Maximum stored bytes per unit of work: a useful shard size, and enough texts for batches of
texts of similar length.
"""

MANY_SMALL = 8
"""Number of shards smaller than a unit from which all of them are joined, not only new ones."""


@dataclass(frozen=True)
class EncodingReport:
    """What a run of the encoding stage did.

    Attributes:
        encoded: number of texts that it encoded.
        tokens: number of their tokens, before truncation.
        seconds: duration.
        loading: seconds of it until the encoder was loaded.
        backend: back end of the encoder at the end; '' if unknown.
        devices: devices that encoded, one entry per process; empty if unknown.
    """

    encoded: int
    tokens: int
    seconds: float
    loading: float = 0.0
    backend: str = ""
    devices: tuple[str, ...] = ()


class Executor(Protocol):
    """Runs units of work: encodes their texts and commits the vectors.

    Attributes:
        devices: devices that encode, one entry per process; empty if unknown.
        loading: seconds until the first encoder was loaded.
        backend: back end of the encoder; '' if unknown.
    """

    devices: tuple[str, ...]
    loading: float
    backend: str

    def run(self, units: Units, spaces: Sequence[Space]) -> Iterator[WorkResult]:
        """Run all units; yield the result of each when it is committed."""
        ...

    def check(self, left: int, bad: BadTexts) -> None:
        """Raise an error if texts are left over that are not among the bad ones.

        Args:
            left: number of texts that are not stored, without the bad ones.
            bad: the texts with bad vectors.
        """
        ...


def run_plan(
    plan: EncodingPlan,
    texts: Iterable[str],
    spaces: Sequence[Space],
    executor: Executor,
    max_texts: int | None = None,
    unit_texts: int = UNIT_TEXTS,
) -> EncodingReport:
    """Encode the missing texts of a plan with an executor, and join small shards.

    Args:
        plan: what is missing.
        texts: the corpus from which the plan was made.
        spaces: those of the plan.
        executor: runs the units of work.
        max_texts: maximum texts per unit, if fewer than ``unit_texts``.
        unit_texts: maximum texts per unit, and per shard to which small ones are joined.

    Raises:
        ManyheadsError: like ``serial.encode``, and errors of the executor.
    """
    start = time.perf_counter()
    encoded = tokens = 0
    bad = BadTexts()
    for space in spaces:
        space.sweep()
        touch(space.folder)
    shards_before = {name for space in spaces for name in space.index.shards}
    parts = slices_by_size(plan.sizes, max_texts or unit_texts, UNIT_BYTES)
    units = Units(WorkQueue(missing_units(plan, texts, parts)))
    index_clock = IndexClock()
    for done in executor.run(units, spaces) if parts else ():
        bad.add(done.bad, done.large)
        units.cut |= done.commits > 1
        units.queue.shared |= done.shared
        encoded += done.encoded
        tokens += done.tokens
        if index_clock.due:
            with index_clock.writing():
                for space in spaces:
                    space.save_index()
    for space in spaces:
        small = sum(texts < unit_texts for texts in space.index.texts)
        if parts and small >= MANY_SMALL:  # such as those of killed runs
            _join(space, unit_texts, ())
        elif units.cut:
            _join(space, unit_texts, shards_before)
        space.save_index()
    left = missing_by_space(plan.keys[plan.missing], spaces).any(axis=1).sum()
    executor.check(int(left) - len(bad.rows), bad)
    bad.refuse()
    seconds = time.perf_counter() - start
    return EncodingReport(
        encoded, tokens, seconds, executor.loading, executor.backend, executor.devices
    )


def _join(space: Space, unit_texts: int, leave: Collection[str]) -> None:
    """Join small shards up to the size of a unit, if possible."""
    with suppress(CacheError, DiskSpaceError, RemoteError):
        compact(space, UNIT_BYTES, max_texts=unit_texts, small=1.0, leave=leave)
