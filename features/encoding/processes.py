"""The executor of several processes, one per device.

    encode_on_devices(plan, texts, spaces, load, devices)      like ``serial.encode``

The parent only hands out units of work, whose size follows the pace of the worker. Each worker
has its own encoder, encodes its unit and commits the shards, as a single process would. If a
worker dies, its current unit is lost and the others continue.

This module does not import torch: a worker must set its number of threads before that import.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from features.encoders.protocol import Encoder, OnBatch, PausingEncoder, backend_name
from features.encoding.bad_vectors import BadTexts
from features.encoding.devices import limit_threads, threads
from features.encoding.job import UNIT_TEXTS, EncodingReport, run_plan
from features.encoding.pace import CommitClock, Pace, Units
from features.encoding.plan import EncodingPlan
from features.encoding.units import WorkUnit
from features.encoding.work import WorkResult, encode_unit
from features.errors import ManyheadsError, WorkerError
from features.messages import listed
from features.probe.probe import prepare
from features.store.space import Space

Load = Callable[[str], Encoder]
"""Device -> its encoder. It is sent to the workers, so it must be a module's function or a
``functools.partial`` of one."""


@dataclass(frozen=True)
class _Batch:
    """Message of a worker: one more batch is done."""

    texts: int
    tokens: int


@dataclass(frozen=True)
class _Note:
    """Message of a worker: a line for the user, from ``probe.prepare``."""

    text: str


@dataclass(frozen=True, eq=False)
class _Ready:
    """Message of a worker: it waits for a unit; ``done`` is the result of the one before, if
    any.

    Attributes:
        pauses: whether its encoder pauses by itself for commits.
    """

    done: WorkResult | None
    backend: str
    pauses: bool


@dataclass(eq=False)
class _Worker:
    """A worker, as the parent sees it."""

    device: str
    process: Any
    pipe: Connection
    pace: Pace
    unit: WorkUnit | None = None

    def give(self, unit: WorkUnit) -> None:
        """Send it a unit of work."""
        self.unit = unit
        with suppress(BrokenPipeError):  # it died just now, as its pipe is about to tell
            self.pipe.send(unit)

    def note(self, done: WorkResult) -> None:
        """Record how long it took for its unit."""
        if self.unit:
            self.pace.note(self.unit, done.encoded + len(done.bad.rows), done.seconds)


def encode_on_devices(
    plan: EncodingPlan,
    texts: Iterable[str],
    spaces: Sequence[Space],
    load: Load,
    devices: Sequence[str],
    on_batch: OnBatch = lambda texts, tokens: None,
    unit_texts: int = UNIT_TEXTS,
) -> EncodingReport:
    """Encode the missing texts of a plan with one process per device.

    Args:
        plan: what is missing.
        texts: the corpus from which the plan was made.
        spaces: those of the plan.
        load: called in each worker with its device.
        devices: as ``devices.present`` gives them.
        on_batch: called after every batch with its numbers of texts and tokens.
        unit_texts: maximum texts per unit of work.

    Raises:
        WorkerError: a worker died; everything else was committed.
        ManyheadsError: like ``serial.encode``.
    """
    fair = -(-len(plan.missing) // len(devices))
    max_texts = max(1, min(fair, unit_texts))
    used = devices[: max(1, len(plan.missing))]
    executor = _Processes(load, used, on_batch)
    return run_plan(plan, texts, spaces, executor, max_texts, unit_texts)


class _Processes:
    """The executor of several processes, one per device.

    Args:
        load, devices, on_batch: as for ``encode_on_devices``.
    """

    loading = 0.0
    backend = ""

    def __init__(self, load: Load, devices: Sequence[str], on_batch: OnBatch) -> None:
        self.devices = tuple(devices)
        self._load, self._on_batch = load, on_batch
        self._lost: list[str] = []
        self._notes: set[str] = set()

    def run(self, units: Units, spaces: Sequence[Space]) -> Iterator[WorkResult]:
        """Run all units; see ``Executor.run``."""
        start = time.perf_counter()
        with _workers(self.devices, spaces, self._load) as workers:
            for worker, message in _messages(workers, self._lost):
                if isinstance(message, _Batch):
                    self._on_batch(message.texts, message.tokens)
                    continue
                if isinstance(message, _Note):
                    self._note(message.text)
                    continue
                self.loading = self.loading or time.perf_counter() - start
                self.backend = message.backend
                if message.done:
                    worker.note(message.done)
                    yield message.done
                unit = units.take(None if message.pauses else worker.pace)
                if unit:
                    worker.give(unit)
                else:
                    workers.remove(worker)

    def _note(self, text: str) -> None:
        """Warn once of a note that all workers send."""
        if text not in self._notes:
            self._notes.add(text)
            logging.getLogger("manyheads").warning(text)

    def check(self, left: int, bad: BadTexts) -> None:
        """Check what is left; see ``Executor.check``. Raises ``WorkerError``: a worker died."""
        if left and self._lost:
            raise WorkerError(
                f"{len(self._lost)} of {len(self.devices)} workers died "
                f"({listed(self._lost)}) and {left:,} texts are not encoded{bad.beside}; all "
                "others are: run the same command again"
            )


def _messages(
    workers: list[_Worker], lost: list[str]
) -> Iterator[tuple[_Worker, _Batch | _Note | _Ready]]:
    """Yield messages until no worker is left; workers that died go to ``lost``.

    Raises:
        ManyheadsError: an error that a worker sent.
    """
    while workers:
        ready = wait([worker.pipe for worker in workers])
        for worker in [worker for worker in workers if worker.pipe in ready]:
            try:
                message = worker.pipe.recv()
            except (EOFError, ConnectionResetError):
                workers.remove(worker)
                lost.append(_death(worker))
                continue
            if isinstance(message, ManyheadsError):
                raise message
            yield worker, message


def _death(worker: _Worker) -> str:
    worker.process.join()
    code = worker.process.exitcode
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return f"{worker.device}: {how}"


@contextmanager
def _workers(
    devices: Sequence[str], spaces: Sequence[Space], load: Load
) -> Iterator[list[_Worker]]:
    """Start the workers; stop those that are still working at the end."""
    # Not forked: torch's threads and CUDA's state do not survive that.
    context = multiprocessing.get_context("spawn")
    space_arguments = [(space.folder, space.spec, space.model) for space in spaces]
    started = []
    try:
        for device in devices:
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_work,
                args=(theirs, space_arguments, load, device, threads(device, devices)),
                daemon=True,
            )
            process.start()
            theirs.close()
            pace = Pace([space.spec for space in spaces])
            started.append(_Worker(device, process, ours, pace))
        yield list(started)
    finally:
        for worker in started:
            worker.pipe.close()  # an idle worker ends by itself
        for worker in started:
            worker.process.join(0.5)
            worker.process.terminate()
            worker.process.join()


def _work(
    pipe: Connection, space_arguments: Sequence[Any], load: Load, device: str, threads: int
) -> None:
    """Run a worker: encode and commit units until the parent closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops its workers
    try:
        limit_threads(threads)
        encoder = load(device)
        spaces = [Space(*arguments) for arguments in space_arguments]
        prepare(encoder, spaces, lambda text: pipe.send(_Note(text)))
        done, clock = None, CommitClock()
        pauses = isinstance(encoder, PausingEncoder)
        while True:
            pipe.send(_Ready(done, backend_name(encoder), pauses))
            try:
                unit = pipe.recv()
            except (EOFError, ConnectionResetError):  # the parent closed it, or is gone
                return
            for space in spaces:
                space.refresh()
            done = encode_unit(
                unit,
                spaces,
                encoder,
                lambda texts, tokens: pipe.send(_Batch(texts, tokens)),
                clock,
            )
    except BrokenPipeError:  # the parent is gone
        return
    except ManyheadsError as error:
        pipe.send(error)
