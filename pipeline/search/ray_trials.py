"""Trials on a Ray cluster, several at once; only this module of ``pipeline`` imports ``ray``.

    with on_ray(cluster, materials, here) as trainer:
        Loop(journal, plan, trainer)

A task of Ray trains one job and sends its outcome back; the driver writes the journal. What
heads read is placed in Ray's object store once, so the machines need neither the texts nor the
cache. The baselines are scored by the driver: the cache keeps their results for every run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import ray

from features.encoding.cluster.connection import answer_of, connected, short
from features.encoding.cluster.resources import Cluster, Workers
from features.encoding.devices import CPU, limit_threads
from features.errors import ManyheadsError
from features.tables import Features, FeatureTables
from pipeline.console import print_note
from pipeline.search.candidate import BASELINES, Job, Outcome
from pipeline.search.halving import IsBehind
from pipeline.search.loop import Train
from pipeline.search.records.journal import Claim
from pipeline.search.trials import Materials, Part, Side, parts, train_head

TRIES = 5
"""How often a job is begun: one that kills every worker must not kill them forever."""

NOTE_SECONDS = 60.0
"""Seconds without a first answer until a line says what the cluster may lack."""

_FETCHED: dict[Any, Any] = {}
"""What a worker's process has fetched. It keeps the same object for all of its trials, since
means and deviations are computed once per object."""


@dataclass(frozen=True, eq=False)
class _Task:
    """A job that is being trained.

    Attributes:
        claim: which.
        is_behind: stops it.
        begun: when, in seconds since 1970.
        tries: how often it was begun.
    """

    claim: Claim
    is_behind: IsBehind | None
    begun: float
    tries: int = 1


@contextmanager
def on_ray(cluster: Cluster, materials: Materials, here: Train) -> Iterator[RayTrials]:
    """Connect to a cluster, and yield what trains jobs there.

    Args:
        cluster: which, and how many jobs at once.
        materials: what the trials read.
        here: trains a job in this process; for the baselines.

    Raises:
        SettingError: there is no such cluster.
    """
    with connected(cluster) as workers:
        trainer = RayTrials(workers, materials, here)
        print_note(
            f"training on the Ray cluster: {workers.count} at once, each on {workers.device} "
            f"with {workers.cores:g} cores"
        )
        try:
            yield trainer
        finally:
            trainer.stop()


class RayTrials:
    """Trains the jobs of a process as tasks of Ray; see ``Trainer``.

    Args:
        workers: how many at once, and on what.
        materials, here: as for ``on_ray``.
    """

    def __init__(self, workers: Workers, materials: Materials, here: Train) -> None:
        self.slots = workers.count
        self._workers, self._materials, self._here = workers, materials, here
        self._own: list[Claim] = []
        self._tasks: dict[Any, _Task] = {}
        self._placed: dict[Part, Any] = {}
        self._sides = ray.put(materials.sides)
        self._told = False
        self._train = ray.remote(
            num_cpus=workers.cores, num_gpus=int(workers.device != CPU), max_retries=0
        )(train_task)

    def begin(self, claim: Claim, is_behind: IsBehind | None) -> None:
        """Take a job; see ``Trainer``."""
        if claim.job.candidate.head in BASELINES:
            self._own.append(claim)
        else:
            self._ask(_Task(claim, is_behind, time.time()))

    def ended(self) -> tuple[Claim, Outcome]:
        """Wait until a job is done; see ``Trainer``.

        Raises:
            ManyheadsError: as ``train_head``, in a worker.
        """
        if self._own:
            claim = self._own.pop(0)
            return claim, self._here(claim.job, None)
        while True:
            task, answer = self._next_answer()
            if isinstance(answer, ManyheadsError):
                raise answer
            if isinstance(answer, Outcome):
                # By the clock of this machine: others may differ.
                return task.claim, replace(answer, ended=time.time())
            if task.tries >= TRIES:
                failed = (
                    f"its worker died {TRIES} times ({short(answer)}); give fewer --workers if "
                    "memory ran out"
                )
                now = time.time()
                return task.claim, Outcome(failed=failed, seconds=now - task.begun, ended=now)
            self._ask(replace(task, tries=task.tries + 1))

    def stop(self) -> None:
        """Stop what is being trained."""
        for reference in self._tasks:
            ray.cancel(reference, force=True)

    def _ask(self, task: _Task) -> None:
        """Have a job trained, without waiting for it."""
        job = task.claim.job
        tables = [self._place(part) for part in parts(job.candidate)]
        running = self._workers.device, self._workers.threads
        self._tasks[self._train.remote(job, task.is_behind, self._sides, tables, running)] = (
            task
        )

    def _place(self, part: Part) -> Any:
        """Return the reference to a table, which is placed in the object store once."""
        if part not in self._placed:
            table = self._materials.tables.pop(part, None)
            self._placed[part] = ray.put(self._materials.read(part) if table is None else table)
        return self._placed[part]

    def _next_answer(self) -> tuple[_Task, Any]:
        """Wait for the next answer; it is the error of Ray for a worker that died."""
        while True:
            ready, _ = ray.wait(list(self._tasks), timeout=NOTE_SECONDS)
            if ready:
                break
            if not self._told:
                self._told = True
                print_note(
                    f"no trial has come back from the Ray cluster in {NOTE_SECONDS:.0f} s: "
                    f"they take long, or no machine has {self._workers.cores:g} free cores"
                )
        self._told = True
        return self._tasks.pop(ready[0]), answer_of(ready[0])


def train_task(
    job: Job,
    is_behind: IsBehind | None,
    sides: Sequence[Side],
    tables: Sequence[Any],
    running: tuple[str, int],
) -> Outcome | ManyheadsError:
    """Train a job in a worker. An error of the project is an answer: Ray would wrap it.

    Args:
        job, is_behind: as for ``train_head``.
        sides: what it is trained and chosen on.
        tables: references to what it reads.
        running: device, and number of threads.
    """
    device, threads = running
    limit_threads(threads)
    try:
        return train_head(
            FeatureTables(tuple(map(_fetched, tables))), sides, job, device, is_behind
        )
    except ManyheadsError as error:
        return error


def _fetched(reference: Any) -> Features:
    """Return an object of the object store, the same one each time."""
    if reference not in _FETCHED:
        _FETCHED[reference] = ray.get(reference)
    found: Features = _FETCHED[reference]
    return found
