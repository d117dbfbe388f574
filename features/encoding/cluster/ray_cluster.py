"""The executor of a Ray cluster, from the extra ``manyheads[ray]``.

    encode_on_ray(plan, texts, spaces, load, cluster)      like ``serial.encode``

The driver plans and hands out units. A worker is an actor: it encodes a unit and commits its
shard to the cache, which all machines reach. Ray places the workers by their cores and GPUs,
and starts them again when they die.

A worker has one unit in work and one that waits, so no worker waits for the driver, and the
driver holds few texts. A slow worker takes fewer units. If a worker dies, its units go back to
the driver, which gives them to whoever is ready: Ray would keep them for the same worker, whose
machine may never come back.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import ray

from features.encoders.protocol import OnBatch
from features.encoding.bad_vectors import BadTexts
from features.encoding.cluster.connection import answer_of, connected, short
from features.encoding.cluster.resources import Cluster, Workers
from features.encoding.cluster.worker import Done, Loaded, Present, Worker
from features.encoding.devices import CPU
from features.encoding.job import UNIT_TEXTS, EncodingReport, run_plan
from features.encoding.pace import Units
from features.encoding.plan import EncodingPlan
from features.encoding.processes import Load
from features.encoding.units import WorkUnit, joined
from features.encoding.work import WorkResult
from features.errors import ManyheadsError, WorkerError
from features.messages import listed
from features.store.space import Space, missing_by_space

IN_FLIGHT = 2
"""Units of a worker: one in work, and one that waits."""

MIN_UNITS = 4
"""Minimum units per worker: with fewer, some workers would be idle while the last ones run."""

MIN_TEXTS = 256
"""Minimum texts per unit all the same, for batches of texts of similar length."""

TRIES = 5
"""How often a unit is given out: texts that kill every worker must not kill them forever."""

NOTE_SECONDS = 30.0
"""Seconds without any worker until a line says what the cluster lacks."""


@dataclass(frozen=True, eq=False)
class _Task:
    """What a worker was asked to do.

    Attributes:
        worker: its number.
        unit: the unit to encode; None: to load the encoder, or to say that it is there.
        tries: how often this was asked.
        present: whether it has said that it is there.
    """

    worker: int
    unit: WorkUnit | None = None
    tries: int = 1
    present: bool = False

    @property
    def weight(self) -> int:
        """As how many units it counts for a worker that takes ``IN_FLIGHT`` of them."""
        return 1 if self.tries == 1 else IN_FLIGHT


@dataclass(eq=False)
class _Busy:
    """When a worker worked: seconds in units, and the time from its first to its last one."""

    seconds: float = 0.0
    began: float = 0.0
    ended: float = 0.0


def encode_on_ray(
    plan: EncodingPlan,
    texts: Iterable[str],
    spaces: Sequence[Space],
    load: Load,
    cluster: Cluster,
    on_batch: OnBatch = lambda texts, tokens: None,
    unit_texts: int = UNIT_TEXTS,
) -> EncodingReport:
    """Encode the missing texts of a plan on a Ray cluster.

    Args:
        plan: what is missing.
        texts: the corpus from which the plan was made.
        spaces: those of the plan; their folders must be the same from every machine.
        load: called in each worker with its device.
        cluster: which cluster, and how many workers.
        on_batch: called after every unit with its numbers of texts and tokens.
        unit_texts: maximum texts per unit of work, and so per shard.

    Raises:
        SettingError: there is no such cluster.
        WorkerError: texts killed their workers, or no worker is left; everything else was
            committed.
        ManyheadsError: like ``serial.encode``.
    """
    with connected(cluster) as workers:
        executor = RayExecutor(load, workers, on_batch)
        fair = len(plan.missing) // (MIN_UNITS * workers.count)
        size = max(1, min(unit_texts, max(fair, MIN_TEXTS)))
        return run_plan(plan, texts, spaces, executor, unit_texts=size)


class RayExecutor:
    """The executor of the workers of a cluster to which this process is connected.

    Args:
        load, on_batch: as for ``encode_on_ray``.
        workers: which workers to start.
    """

    loading = 0.0
    backend = ""

    def __init__(self, load: Load, workers: Workers, on_batch: OnBatch) -> None:
        self.devices = (workers.device,) * workers.count
        self._load, self._workers, self._on_batch = load, workers, on_batch
        self._actors: list[Any] = []
        self._tasks: dict[Any, _Task] = {}
        self._in_flight: dict[int, int] = {}  # units of each worker whose encoder is loaded
        self._again: deque[_Task] = deque()
        self._found: list[WorkResult] = []  # of workers that died when they had committed
        self._busy: dict[int, _Busy] = {}
        self._died = False
        self._lost: list[str] = []
        self._notes: set[str] = set()

    @property
    def utilisation(self) -> float:
        """Share of their time, in [0, 1], in which workers encoded or committed a unit."""
        span = sum(busy.ended - busy.began for busy in self._busy.values())
        return sum(busy.seconds for busy in self._busy.values()) / span if span else 0.0

    def run(self, units: Units, spaces: Sequence[Space]) -> Iterator[WorkResult]:
        """Run all units; see ``Executor.run``."""
        start = time.perf_counter()
        try:
            self._start(spaces)
            while self._hand_out(units, spaces) or self._found:
                result = self._found.pop() if self._found else self._answered(spaces, start)
                if result is not None:
                    self._on_batch(result.encoded, result.tokens)
                    yield result
            for space in spaces if self._died else ():
                space.sweep()  # of what a worker was writing when it died
        finally:
            for actor in self._actors:
                ray.kill(actor)

    def _answered(self, spaces: Sequence[Space], start: float) -> WorkResult | None:
        """Wait for the next answer; return the result if it is that of a unit.

        Args:
            start: when the run began.

        Raises:
            ManyheadsError: an error that a worker sent.
        """
        task, answer = self._next_answer()
        if isinstance(answer, ManyheadsError):
            raise answer
        if isinstance(answer, Present):
            self._ask(replace(task, present=True))
        elif isinstance(answer, Loaded):
            self.loading = self.loading or time.perf_counter() - start
            self.backend = answer.backend
            self._in_flight[task.worker] = 0
            for note in answer.notes:
                self._note(note)
        elif isinstance(answer, Done):
            self.backend = answer.backend
            self._record(task.worker, answer)
            for space, shards in zip(spaces, answer.shards, strict=True):
                space.adopt(shards)
            return answer.result
        else:
            self._bury(task, answer)
        return None

    def check(self, left: int, bad: BadTexts) -> None:
        """Check what is left; see ``Executor.check``. Raises ``WorkerError``: a worker died."""
        if left and self._lost:
            deaths = listed(dict.fromkeys(self._lost), 2)
            raise WorkerError(
                f"workers of the Ray cluster died ({deaths}) and {left:,} texts are not "
                f"encoded{bad.beside}; all others are: run the same command again"
            )

    def _start(self, spaces: Sequence[Space]) -> None:
        """Start the workers, and ask each to load its encoder."""
        arguments = [(space.folder.absolute(), space.spec, space.model) for space in spaces]
        for space in spaces:
            space.write_manifest()  # by which a worker sees that it is the same folder
        workers = self._workers
        actor = ray.remote(
            num_cpus=workers.cores,
            num_gpus=int(workers.device != CPU),
            max_restarts=-1,
            max_task_retries=0,
        )(Worker)
        for number in range(workers.count):
            self._actors.append(
                actor.remote(arguments, self._load, workers.device, workers.threads)
            )
            self._ask(_Task(number))

    def _ask(self, task: _Task, missing: np.ndarray | None = None) -> None:
        """Ask a worker for something, without waiting for it."""
        actor = self._actors[task.worker]
        if task.unit is None and not task.present:
            # Only what Ray may repeat without end waits for a machine, or a restart.
            self._tasks[actor.present.options(max_task_retries=-1).remote()] = task
        elif task.unit is None:
            self._tasks[actor.load.remote()] = task
        else:
            self._tasks[actor.encode.remote(task.unit, missing)] = task
            self._in_flight[task.worker] += task.weight

    def _hand_out(self, units: Units, spaces: Sequence[Space]) -> bool:
        """Give units to workers that have few; return whether there is an answer to wait for.

        There is none where all is done, and where no worker is left.
        """
        while self._in_flight:
            worker = min(self._in_flight, key=self._in_flight.__getitem__)
            if self._in_flight[worker] >= IN_FLIGHT:
                return True
            task = _Task(worker, units.take(None))
            if task.unit is None and not self._again:
                return any(each.unit for each in self._tasks.values())
            if task.unit is None:
                # A unit that was with a worker that died runs last and alone: whatever it does
                # to the next one, it takes no other with it.
                if self._in_flight[worker]:
                    return True
                task = self._again.popleft()
            assert task.unit is not None
            if task.tries > 1 or units.queue.shared:
                for space in spaces:
                    space.refresh()  # it may have been committed, and nobody has told
            missing = missing_by_space(task.unit.keys, spaces)
            if missing.any():
                self._ask(replace(task, worker=worker), missing)
            elif task.tries > 1:
                self._found.append(_committed(task.unit, spaces[0]))
        return bool(self._tasks)

    def _next_answer(self) -> tuple[_Task, Any]:
        """Wait for the next answer; it is the error of Ray for a worker that died."""
        while True:
            ready, _ = ray.wait(list(self._tasks), timeout=NOTE_SECONDS)
            if ready:
                break
            if not self.loading:
                self._note(
                    f"waiting for the Ray cluster: none of {self._workers.count} workers "
                    f"({self._workers.cores:g} cores each, on {self._workers.device}) has "
                    "loaded the encoder yet"
                )
        task = self._tasks.pop(ready[0])
        try:
            return task, answer_of(ready[0])
        finally:
            if task.unit is not None and task.worker in self._in_flight:
                self._in_flight[task.worker] -= task.weight

    def _bury(self, task: _Task, error: Exception) -> None:
        """Keep the unit of a worker that died for another, and wait until Ray restarted it."""
        self._died = True
        worked = self._in_flight.pop(task.worker, None) is not None
        if task.tries >= TRIES:
            self._lost.append(short(error))
        elif task.unit is not None:
            self._again.append(replace(task, tries=task.tries + 1))
        else:
            self._ask(replace(task, tries=task.tries + 1, present=False))
        if worked:
            self._ask(_Task(task.worker))

    def _record(self, worker: int, done: Done) -> None:
        busy = self._busy.setdefault(worker, _Busy(began=done.began))
        busy.seconds += done.ended - done.began
        busy.ended = done.ended

    def _note(self, text: str) -> None:
        """Warn once of what all workers note."""
        if text not in self._notes:
            self._notes.add(text)
            logging.getLogger("manyheads").warning(text)


def _committed(unit: WorkUnit, space: Space) -> WorkResult:
    """Return the result of a unit that was committed by a worker that could not tell."""
    tokens = int(space.tokens(unit.keys).sum(dtype=np.int64))
    return WorkResult(len(unit.keys), tokens, joined(()), False, False, 0.0, 1)
