"""The encoding stage: texts without vectors go through the encoder, once, ever.

    plan_encoding(texts, spaces)            what is cached, what is missing, how large
    check_disk(plan, root)                  refuses what would not fit
    encode(plan, texts, spaces, load)       windows of missing texts -> committed shards
    run_plan(plan, texts, spaces, executor) the same, wherever the work is done

Texts stream: planning passes over them once and keeps 16 bytes of each; encoding passes over
them again, and only where it must, so any iterable of texts will do that gives the same texts
whenever it is iterated: a list, or ``corpus.CorpusTexts``, which reads a file.

A window is one unit of work, or several where the encoder is slow (``features.encoding.pace``),
and a unit is one commit per space unless its texts lack different spaces. The small shards of a
slow run are joined at its end. Windows run in corpus order, so that a resumed run cuts the same
windows that the killed one would have; once another process is seen writing the same space they
run in random order, so that the two share the work.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import compress, islice
from typing import Protocol

import numpy as np

from features.encoders.batching import windows
from features.encoding.bad_vectors import BadTexts
from features.encoding.pace import CommitClock, Pace, Units
from features.encoding.units import Window, WorkQueue, cut
from features.encoding.work import Done, PausingEncoder, backend_name, encode_window, lacking
from features.encoding.work import Encoder as Encoder
from features.encoding.work import OnBatch as OnBatch
from features.errors import CacheError, DiskSpaceError, RemoteError
from features.storage.location import Place
from features.storage.remote import RemotePath
from features.store.compaction import compact
from features.store.manifest import touch
from features.store.space import Space
from features.vectors.sizes import stored_bytes
from features.vectors.spec import text_keys

WINDOW_TEXTS = 2048
WINDOW_BYTES = 64 * 2**20
"""A window is a shard of useful size, and large enough to batch texts of like length."""

MANY_SMALL = 8
"""Shards of fewer texts than a window from which all are joined, not just those of a run."""

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


@dataclass(frozen=True)
class EncodingReport:
    """What one run of the stage did.

    Attributes:
        encoded: texts that it encoded itself.
        tokens: theirs, before truncation.
        seconds: taken in all, and of them
        loading: until the encoder was there.
        backend: what ran the encoder at the end; '' where it does not say.
        devices: that encoded, one entry a process; none where the encoder does not say.
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

    def run(self, units: Units, spaces: Sequence[Space]) -> Iterator[Done]:
        """Work off all units; ``Done`` as each is committed."""
        ...

    def check(self, left: int, bad: BadTexts) -> None:
        """Raise an error where texts are left over that are not among the bad ones."""
        ...


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


def check_disk(plan: EncodingPlan, root: Place) -> None:
    """Raise ``DiskSpaceError`` where the plan would not fit on the disk of the cache folder."""
    if isinstance(root, RemotePath):  # where there is no end
        return
    existing = next(folder for folder in (root, *root.absolute().parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if len(plan.missing) and plan.bytes_needed + SPARE_BYTES > free:
        raise DiskSpaceError(
            f"encoding {len(plan.missing):,} texts needs about {_gigabytes(plan.bytes_needed)} "
            f"in {root}, and {_gigabytes(free)} are free; free some space, choose another disk "
            "with --cache, or --layout pooled, which stores one vector a text"
        )


def encode(
    plan: EncodingPlan,
    texts: Iterable[str],
    spaces: Sequence[Space],
    load: Callable[[], Encoder],
    on_batch: OnBatch = lambda texts, tokens: None,
) -> EncodingReport:
    """Encode the plan's missing texts and commit them, window by window.

    Args:
        texts: the corpus that the plan was made of; iterated unless the plan holds all that
            is missing.
        load: gives the encoder; called only if something is missing.

    Raises:
        BadVectorError: after all else was committed, if the encoder gave NaN, infinite or
            all-zero vectors; it names the texts.
        CorpusError: the texts are no longer those of the plan; earlier commits are kept.
        DiskSpaceError, CacheError: a commit failed; earlier ones are kept.
    """
    return run_plan(plan, texts, spaces, _Here(load, on_batch))


def run_plan(
    plan: EncodingPlan,
    texts: Iterable[str],
    spaces: Sequence[Space],
    executor: Executor,
    most_texts: int | None = None,
) -> EncodingReport:
    """Encode the plan's missing texts wherever the executor does, and join small shards.

    Args:
        most_texts: texts per window at most, if fewer than ``WINDOW_TEXTS``.

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
    parts = windows(plan.sizes, most_texts or WINDOW_TEXTS, WINDOW_BYTES)
    units = Units(WorkQueue(missing_windows(plan, texts, parts)))
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
    return sum(texts < WINDOW_TEXTS for texts in space.index.texts)


def _join(space: Space, leave: Collection[str]) -> None:
    """Join small shards up to the size of a window, unless something keeps us from it."""
    with suppress(CacheError, DiskSpaceError, RemoteError):
        compact(space, WINDOW_BYTES, most_texts=WINDOW_TEXTS, small=1.0, leave=leave)


class _Here:
    """The executor of this process: one encoder, unit by unit.

    Args:
        load, on_batch: as ``encode`` takes them.
    """

    devices: tuple[str, ...] = ()
    loading = 0.0
    backend = ""

    def __init__(self, load: Callable[[], Encoder], on_batch: OnBatch) -> None:
        self._load, self._on_batch = load, on_batch

    def run(self, units: Units, spaces: Sequence[Space]) -> Iterator[Done]:
        """As ``Executor``."""
        start = time.perf_counter()
        encoder = self._load()
        self.loading = time.perf_counter() - start
        pace = None if isinstance(encoder, PausingEncoder) else Pace([s.spec for s in spaces])
        clock = CommitClock()
        while True:
            for space in spaces:
                units.queue.shared |= space.refresh()
            unit = units.take(pace)
            if unit is None:
                break
            done = encode_window(unit, spaces, encoder, self._on_batch, clock)
            if pace:
                pace.note(unit, done.encoded + len(done.bad.rows), done.seconds)
            yield done
        device = getattr(encoder, "device", None)
        self.devices = (str(device),) if device else ()
        self.backend = backend_name(encoder)

    def check(self, left: int, bad: BadTexts) -> None:
        """As ``Executor``: whatever keeps this process from encoding has raised already."""


def missing_windows(
    plan: EncodingPlan, texts: Iterable[str], parts: Sequence[slice]
) -> Iterator[Window]:
    """The plan's missing texts as windows in corpus order, each read when it is asked for."""
    return cut(_missing_texts(plan, texts), plan.missing, plan.keys[plan.missing], parts)


def _missing_texts(plan: EncodingPlan, texts: Iterable[str]) -> Iterator[str]:
    """The plan's missing texts in order: those it holds, then a second pass for the rest."""
    yield from plan.held
    if len(plan.held) < len(plan.missing):
        wanted = np.zeros(len(plan.keys), np.uint8)
        wanted[plan.missing[len(plan.held) :]] = 1
        yield from compress(texts, wanted.tobytes())


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.2f} GB"
