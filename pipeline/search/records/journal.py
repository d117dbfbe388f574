"""The journal of a study: which jobs are taken, which are done. Only this file knows Optuna.

    journal.log     Optuna's journal: lines are only added, each at once
    .claims         locked while a job is taken
    .lines          locked while a line is added
    workers/        one folder per process at work, locked as long as it lives

A job is taken under the lock, so no two processes take the same. One that a killed process had
taken is taken again, with the values that were drawn for it. A job counts once its outcome is a
line of the journal. The n-th draw depends on the seed, on n and on the trials that are done,
not on who draws.
"""

from __future__ import annotations

import os
import time
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from features.errors import SettingError
from features.storage.files import locked, make_folder, sweep, temporary_folder
from heads.ranges import Plain, Range
from pipeline.search.candidate import Candidate, Job, Outcome, Trial, damaged
from pipeline.search.space import Suggest

LOG, CLAIMS, LINES, WORKERS = "journal.log", ".claims", ".lines", "workers"
SIMPLE, DRAWN, REPEATS = "simple", "drawn", "repeats"
KINDS = (SIMPLE, DRAWN, REPEATS)
"""Kinds of jobs: the simple candidates first, drawn ones, and the best again."""

JOB, OUTCOME, WORKER, SAME = "job", "outcome", "worker", "same"
"""Names of what is stored with a trial of Optuna; ``same``: it was drawn before."""

POLL_SECONDS = 0.005

MOST_SAME = 200
"""Draws in a row that gave what was drawn before, until there is taken to be nothing else."""

INSTALL = 'python -m pip install "manyheads[search]"'

Draw = Callable[[Suggest], Candidate]


def load_optuna() -> Any:
    """Return Optuna. Raises ``SettingError`` if it is not installed."""
    try:
        import optuna
    except ImportError as error:
        raise SettingError(
            f"search needs Optuna, which is not installed: run {INSTALL}"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


@dataclass(frozen=True)
class Claim:
    """A job that this process has taken.

    Attributes:
        kind: one of ``KINDS``.
        trial: its id in the journal.
        number: of its kind.
        job: what to train.
    """

    kind: str
    trial: int
    number: int
    job: Job


class Journal:
    """The jobs of a study. A context manager: it marks this process as at work.

    Args:
        folder: of the study.
        seed: of every draw.
        sampler: ``tpe`` or ``random``.

    Raises:
        SettingError: Optuna is not installed.
        CacheError: the journal is damaged, or the folder cannot be written.
    """

    def __init__(self, folder: Path, seed: int, sampler: str) -> None:
        self.folder = folder
        self._optuna = load_optuna()
        make_folder(folder / WORKERS)
        journal = self._optuna.storages.journal
        with self._read():
            backend = journal.JournalFileBackend(str(folder / LOG), lock_obj=_Lines(folder))
            self._storage = self._optuna.storages.JournalStorage(backend)
            self._studies = {
                kind: self._optuna.create_study(
                    storage=self._storage,
                    study_name=kind,
                    direction="maximize",
                    load_if_exists=True,
                    sampler=_numbered_sampler(self._optuna, seed, sampler),
                )
                for kind in KINDS
            }
        self._stack = ExitStack()
        self._worker = ""
        self.exhausted = False

    def __enter__(self) -> Self:
        sweep(self.folder / WORKERS)
        own = self._stack.enter_context(temporary_folder(self.folder / WORKERS, "worker"))
        self._worker = own.name
        return self

    def __exit__(self, *_: object) -> None:
        own = self.folder / WORKERS / self._worker
        self._stack.close()
        if own.is_dir():
            own.rmdir()

    def finished(self, kind: str) -> list[Trial]:
        """Return the finished jobs of a kind, in the order in which they ended."""
        with self._read():
            return finished_trials(self._trials(kind))

    def others_at_work(self, kind: str) -> bool:
        """Return whether another process is training a job of a kind."""
        sweep(self.folder / WORKERS)
        with self._read():
            return any(self._alive(each) for each in self._trials(kind))

    def claim(self, kind: str, jobs: Sequence[Job]) -> Claim | None:
        """Take the first of some jobs that is neither done nor taken; None if there is none."""
        with self._claiming():
            taken, left = set(), []
            for each in self._trials(kind):
                if OUTCOME in each.user_attrs or self._alive(each):
                    taken.add(Job.of(each.user_attrs[JOB]).key)
                elif not each.state.is_finished():
                    left.append(each)
            free = [job for job in jobs if job.key not in taken]
            if not free:
                return None
            again = [
                each
                for each in left
                if each.user_attrs.get(JOB, free[0].to_dict()) == free[0].to_dict()
            ]
            if again:
                trial, number = again[0]._trial_id, again[0].number
            else:
                made = self._studies[kind].ask()
                trial, number = made._trial_id, made.number
            self._take(trial, free[0])
            return Claim(kind, trial, number, free[0])

    def claim_drawn(
        self, draw: Draw, seeds: tuple[int, ...], limit: int | None, known: set[str]
    ) -> Claim | None:
        """Draw a candidate that is new, and take it.

        Args:
            draw: makes a candidate of what the sampler chooses.
            seeds: of its trainings.
            limit: no draw once so many are done or taken.
            known: keys of candidates that are done already, besides those drawn before.

        Returns:
            None where the limit is reached, or nothing new is left to draw; ``exhausted`` then
            says so.
        """
        for _ in range(0 if self.exhausted else MOST_SAME):
            with self._claiming():
                trials = self._trials(DRAWN)
                counted = [e for e in trials if OUTCOME in e.user_attrs or self._alive(e)]
                if limit is not None and len(counted) >= limit:
                    return None
                seen = {Job.of(e.user_attrs[JOB]).candidate.key for e in counted} | known
                taken = {each.number for each in counted}
                left = [
                    each
                    for each in trials
                    if each.number not in taken and not each.state.is_finished()
                ]
                study = self._studies[DRAWN]
                if left:  # what was drawn before a process was killed is drawn again
                    trial = self._optuna.trial.Trial(study, left[0]._trial_id)
                else:
                    trial = study.ask()
                candidate = draw(_Trial(trial))
                if candidate.key not in seen:
                    job = Job(candidate, seeds)
                    self._take(trial._trial_id, job)
                    return Claim(DRAWN, trial._trial_id, trial.number, job)
                self._tell_same(trial)
        self.exhausted = True
        return None

    def _tell_same(self, trial: Any) -> None:
        """Give a draw that repeats a candidate the lowest score: nothing is to be gained there.

        The sampler would learn nothing otherwise, and could draw a head with few settings for
        ever. It cannot be kept from that: Optuna wants the same choices in every trial.
        """
        states = self._optuna.trial.TrialState
        done = [each.value for each in self._trials(DRAWN) if each.state == states.COMPLETE]
        self._storage.set_trial_user_attr(trial._trial_id, SAME, True)
        state, values = (states.COMPLETE, [min(done)]) if done else (states.FAIL, None)
        self._storage.set_trial_state_values(trial._trial_id, state, values)

    def finish(self, claim: Claim, outcome: Outcome, score: float) -> None:
        """Store the outcome of a job.

        Args:
            score: what the sampler learns from; higher is better.
        """
        states = self._optuna.trial.TrialState
        state = states.FAIL if outcome.failed else states.COMPLETE
        self._storage.set_trial_user_attr(claim.trial, OUTCOME, outcome.to_dict())
        self._storage.set_trial_state_values(
            claim.trial, state, None if outcome.failed else [score]
        )

    def settle(self, score: Callable[[Outcome], float]) -> None:
        """Close trials whose process was killed just after it had stored the outcome."""
        states = self._optuna.trial.TrialState
        with self._claiming():
            for kind in KINDS:
                for each in self._trials(kind):
                    stored = each.user_attrs.get(OUTCOME)
                    if stored is None or each.state.is_finished() or self._own(each):
                        continue
                    outcome = Outcome.of(stored)
                    failed = bool(outcome.failed)
                    self._storage.set_trial_state_values(
                        each._trial_id,
                        states.FAIL if failed else states.COMPLETE,
                        None if failed else [score(outcome)],
                    )

    def _trials(self, kind: str) -> list[Any]:
        found: list[Any] = self._studies[kind].get_trials(deepcopy=False)
        return found

    def _take(self, trial: int, job: Job) -> None:
        self._storage.set_trial_user_attr(trial, WORKER, self._worker)
        self._storage.set_trial_user_attr(trial, JOB, job.to_dict())

    def _own(self, trial: Any) -> bool:
        """Return whether a process that lives has taken a trial."""
        worker = trial.user_attrs.get(WORKER)
        return worker is not None and (self.folder / WORKERS / worker).is_dir()

    def _alive(self, trial: Any) -> bool:
        """Return whether a process is training a job."""
        attrs = trial.user_attrs
        return JOB in attrs and OUTCOME not in attrs and self._own(trial)

    @contextmanager
    def _claiming(self) -> Iterator[None]:
        """Hold the lock under which jobs are taken, and forget processes that are dead."""
        with waiting(self.folder, CLAIMS):
            sweep(self.folder / WORKERS)
            with self._read():
                yield

    @contextmanager
    def _read(self) -> Iterator[None]:
        """Turn what a damaged journal makes Optuna raise into ``CacheError``."""
        try:
            yield
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise damaged(error, self.folder / LOG) from error


class _Trial:
    """What draws the values of one trial."""

    def __init__(self, trial: Any) -> None:
        self._trial = trial

    def choose(self, name: str, values: Sequence[Plain]) -> Plain:
        chosen: Plain = self._trial.suggest_categorical(name, list(values))
        return chosen

    def number(self, name: str, values: Range) -> float:
        low, high, step, log = values.low, values.high, values.step, values.log
        whole = isinstance(low, int) and isinstance(high, int) and isinstance(step, int | None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a step that does not end at the high end
            if whole:
                return int(
                    self._trial.suggest_int(name, low, high, step=int(step or 1), log=log)
                )
            # A step of 0.1 gives 0.30000000000000004, which nobody typed.
            return round(
                float(self._trial.suggest_float(name, low, high, step=step, log=log)), 9
            )


class _Lines:
    """The lock under which a line is added; a line that a full disk cut short is removed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held = ExitStack()

    def acquire(self) -> bool:
        self._held.enter_context(waiting(self._folder, LINES))
        try:
            remove_half_line(self._folder / LOG)
        except BaseException:
            self._held.close()
            raise
        return True

    def release(self) -> None:
        self._held.close()


def remove_half_line(path: Path) -> None:
    """Remove what stands behind the last line break of a file."""
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        if end == 0:
            return
        file.seek(end - 1)
        if file.read(1) == b"\n":
            return
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)


@contextmanager
def waiting(folder: Path, name: str) -> Iterator[None]:
    """Hold a lock of a folder, once no other process does."""
    while True:
        with locked(folder, name) as acquired:
            if acquired:
                yield
                return
        time.sleep(POLL_SECONDS)


def _numbered_sampler(optuna: Any, seed: int, name: str) -> Any:
    """Return a sampler of Optuna that draws each value with a seed of its own.

    A process that is killed between two values leaves the first; they are not drawn again, and
    the others must be what they would have been.
    """
    kinds = {"random": optuna.samplers.RandomSampler, "tpe": optuna.samplers.TPESampler}

    class Numbered(optuna.samplers.BaseSampler):  # type: ignore[misc]
        def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
            return {}

        def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
            return {}

        def sample_independent(self, study: Any, trial: Any, value: str, among: Any) -> Any:
            parts = [seed, trial.number, zlib.crc32(value.encode())]
            own = int(np.random.SeedSequence(parts).generate_state(1)[0])
            return kinds[name](seed=own).sample_independent(study, trial, value, among)

    return Numbered()


def finished_trials(trials: Iterable[Any]) -> list[Trial]:
    """Return the jobs that have an outcome, in the order in which they ended.

    Args:
        trials: of Optuna.
    """
    found = [
        Trial(each.number, Job.of(attrs[JOB]), Outcome.of(attrs[OUTCOME]))
        for each in trials
        if OUTCOME in (attrs := each.user_attrs)
    ]
    return sorted(found, key=lambda trial: (trial.outcome.ended, trial.number))
