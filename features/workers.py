"""Several processes encode side by side, one a device.

    encode_on_devices(plan, texts, spaces, load, devices)      as ``encoding.encode``

The parent only deals out windows of missing texts. Each worker has an encoder of its own,
encodes its window and commits the shards itself, as a single process would, so the store's
content is the same. A worker that dies loses the window that it had; the others go on.

Imports no torch: a worker must know its share of the cores before that is imported.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from features import encoding
from features.batching import windows
from features.card import touch
from features.devices import threads
from features.encoding import (
    BadTexts,
    Done,
    Encoder,
    EncodingPlan,
    EncodingReport,
    OnBatch,
    backend_name,
    encode_window,
    lacking,
    missing_windows,
)
from features.errors import ManyheadsError, WorkerError, listed
from features.probe import prepare
from features.store import Space
from features.windows import Window, WorkQueue

Load = Callable[[str], Encoder]
"""Gives the encoder of a device. It is sent to the workers: a module's function, or a
``functools.partial`` of one."""


@dataclass(frozen=True)
class _Batch:
    """A worker's message: one more batch is through."""

    texts: int
    tokens: int


@dataclass(frozen=True)
class _Note:
    """A worker's message: a line for people, as ``probe.prepare`` gives it."""

    text: str


@dataclass(frozen=True, eq=False)
class _Ready:
    """A worker's message: it waits for a window, and ``done`` is the one before, if any."""

    done: Done | None
    backend: str


@dataclass(eq=False)
class _Worker:
    """The parent's view of a worker."""

    device: str
    process: Any
    pipe: Connection

    def give(self, window: Window) -> None:
        """Send it a window."""
        with suppress(BrokenPipeError):  # it died just now, as its pipe is about to tell
            self.pipe.send(window)


def encode_on_devices(
    plan: EncodingPlan,
    texts: Iterable[str],
    spaces: Sequence[Space],
    load: Load,
    devices: Sequence[str],
    on_batch: OnBatch = lambda texts, tokens: None,
) -> EncodingReport:
    """Encode the plan's missing texts with a process a device.

    Args:
        texts: the corpus that the plan was made of.
        load: called in each worker, with its device.
        devices: as ``devices.present`` gives them.

    Raises:
        WorkerError: after all else was committed, if a worker died.
        ManyheadsError: as ``encoding.encode``.
    """
    start = time.perf_counter()
    fair = -(-len(plan.missing) // len(devices))
    most = max(1, min(fair, encoding.WINDOW_TEXTS))
    parts = windows(plan.sizes, most, encoding.WINDOW_BYTES)
    for space in spaces:
        space.sweep()
        touch(space.folder)
    queue = WorkQueue(missing_windows(plan, texts, parts))
    waiting = iter(queue)
    encoded = tokens = 0
    bad = BadTexts()
    lost: list[str] = []
    notes: set[str] = set()
    loading, backend = 0.0, ""
    started = tuple(devices[: len(parts)])
    with _workers(started, spaces, load) as crew:
        for worker, said in _messages(crew, lost):
            if isinstance(said, _Batch):
                on_batch(said.texts, said.tokens)
                continue
            if isinstance(said, _Note):
                if said.text not in notes:  # each of them says the same
                    notes.add(said.text)
                    logging.getLogger("manyheads").warning(said.text)
                continue
            loading = loading or time.perf_counter() - start
            backend = said.backend
            if said.done:
                encoded += said.done.encoded
                tokens += said.done.tokens
                bad.add(said.done.bad)
                queue.shared |= said.done.shared
            window = next(waiting, None)
            if window:
                worker.give(window)
            else:
                crew.remove(worker)
    for space in spaces:
        space.save_index()
    left = int(lacking(plan.keys[plan.missing], spaces).any(axis=1).sum()) - len(bad.rows)
    if left and lost:
        raise WorkerError(
            f"{len(lost)} of {len(started)} workers died ({listed(lost)}) and {left:,} texts "
            f"are not encoded{bad.beside}; all others are: run the same command again"
        )
    bad.refuse()
    seconds = time.perf_counter() - start
    return EncodingReport(encoded, tokens, seconds, loading, backend, started)


def _messages(
    crew: list[_Worker], lost: list[str]
) -> Iterator[tuple[_Worker, _Batch | _Note | _Ready]]:
    """What workers say, until none is left in the crew; those that died go to ``lost``.

    Raises:
        ManyheadsError: a worker's own.
    """
    while crew:
        ready = wait([worker.pipe for worker in crew])
        for worker in [worker for worker in crew if worker.pipe in ready]:
            try:
                said = worker.pipe.recv()
            except (EOFError, ConnectionResetError):
                crew.remove(worker)
                lost.append(_death(worker))
                continue
            if isinstance(said, ManyheadsError):
                raise said
            yield worker, said


def _death(worker: _Worker) -> str:
    worker.process.join()
    code = worker.process.exitcode
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return f"{worker.device}: {how}"


@contextmanager
def _workers(
    devices: Sequence[str], spaces: Sequence[Space], load: Load
) -> Iterator[list[_Worker]]:
    """Started workers; those still at work at the end are stopped, and lose their window."""
    # Not forked: torch's threads and CUDA's state do not survive that.
    context = multiprocessing.get_context("spawn")
    places = [(space.folder, space.spec, space.model) for space in spaces]
    started = []
    try:
        for device in devices:
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_work,
                args=(theirs, places, load, device, threads(device, devices)),
                daemon=True,
            )
            process.start()
            theirs.close()
            started.append(_Worker(device, process, ours))
        yield list(started)
    finally:
        for worker in started:
            worker.pipe.close()  # an idle worker ends by itself
        for worker in started:
            worker.process.join(0.5)
            worker.process.terminate()
            worker.process.join()


def _work(
    pipe: Connection, places: Sequence[Any], load: Load, device: str, threads: int
) -> None:
    """A worker: windows in, commits done, until the parent closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops its workers
    try:
        _limit_threads(threads)
        encoder = load(device)
        spaces = [Space(*place) for place in places]
        prepare(encoder, spaces, lambda text: pipe.send(_Note(text)))
        done = None
        while True:
            pipe.send(_Ready(done, backend_name(encoder)))
            try:
                window = pipe.recv()
            except (EOFError, ConnectionResetError):  # the parent closed it, or is gone
                return
            for space in spaces:
                space.refresh()
            done = encode_window(
                window, spaces, encoder, lambda texts, tokens: pipe.send(_Batch(texts, tokens))
            )
    except BrokenPipeError:  # the parent is gone
        return
    except ManyheadsError as error:
        pipe.send(error)


def _limit_threads(count: int) -> None:
    """Processes on one processor share its cores."""
    os.environ["OMP_NUM_THREADS"] = str(count)  # read when torch is imported
    os.environ["RAYON_NUM_THREADS"] = str(count)  # of the tokenizer
    if "torch" in sys.modules:  # by the script that started all this
        sys.modules["torch"].set_num_threads(count)
