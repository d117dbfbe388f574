"""The loop of a search: take a job, train it, store what came of it, until it is enough.

    simple candidates -> drawn ones -> the best again, with other seeds -> finalists

It knows neither torch nor vectors: what trains a job is handed to it. That may train several at
once, as ``ray_trials`` does; the journal is written here alone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Protocol

from pipeline.console import print_note
from pipeline.progress import duration
from pipeline.search.candidate import (
    ACCURACY,
    BASELINES,
    Candidate,
    Job,
    Outcome,
    Trial,
    deterministic,
    ordered,
    seconds_used,
)
from pipeline.search.halving import Halving, IsBehind
from pipeline.search.judging.finalists import (
    PLATEAU,
    Finalist,
    compare,
    finalists,
    repeat_jobs,
    stalled,
)
from pipeline.search.records.journal import DRAWN, KINDS, REPEATS, SIMPLE, Claim, Journal
from pipeline.search.space import Arm, Space, Suggest, draw_candidate

WAIT_SECONDS = 0.2
"""Between two looks at what other processes are doing."""

REFIT = 2.5
"""Time of the winner's own run, as a multiple of its trial: it is refitted and reported."""

WORST_LOSS = 1e9
"""What the sampler is told of a loss that is not finite."""

Train = Callable[[Job, IsBehind | None], Outcome]


@dataclass(frozen=True)
class Plan:
    """What a study does.

    Attributes:
        simple: the jobs that come first.
        arms: heads on vectors that candidates are drawn from.
        space: their settings.
        seeds: of each drawn trial.
        trials: how many are drawn; None: as long as the budget lasts and it helps.
        budget: seconds for all of it; None: no limit.
        repeats: of each finalist.
        texts: how many validate.
        encoders: how many there are.
        jobs: processes that train at once.
    """

    simple: Sequence[Job]
    arms: Sequence[Arm]
    space: Space
    seeds: tuple[int, ...]
    trials: int | None
    budget: float | None
    repeats: int
    texts: int
    encoders: int = 1
    jobs: int = 1

    @property
    def goal(self) -> str:
        """Return what the best trial has the best of."""
        return self.space.wins


def score(goal: str, outcome: Outcome) -> float:
    """Return what the sampler learns from: higher is better."""
    if goal == ACCURACY:
        return outcome.accuracy
    return -outcome.loss if math.isfinite(outcome.loss) else -WORST_LOSS


class Trainer(Protocol):
    """What trains the jobs of a process.

    Attributes:
        slots: how many jobs it trains at once.
    """

    @property
    def slots(self) -> int: ...

    def begin(self, claim: Claim, is_behind: IsBehind | None) -> None:
        """Take a job, which ``is_behind`` may stop; fewer than ``slots`` are being trained."""

    def ended(self) -> tuple[Claim, Outcome]:
        """Wait until a job is done; return it with its outcome."""


class OneByOne:
    """Trains one job after another, in this process."""

    slots = 1

    def __init__(self, train: Train) -> None:
        self._train = train
        self._begun: list[tuple[Claim, IsBehind | None]] = []

    def begin(self, claim: Claim, is_behind: IsBehind | None) -> None:
        """Take a job; see ``Trainer``."""
        self._begun.append((claim, is_behind))

    def ended(self) -> tuple[Claim, Outcome]:
        """Train the job that was taken; see ``Trainer``."""
        claim, is_behind = self._begun.pop()
        return claim, self._train(claim.job, is_behind)


class Loop:
    """A process at work on a study.

    Args:
        journal: of the study.
        plan: what is to be done.
        trainer: trains the jobs.

    Attributes:
        ended: why no more trials were drawn, for people; '' if all were.
    """

    def __init__(self, journal: Journal, plan: Plan, trainer: Trainer) -> None:
        self._journal = journal
        self._plan = plan
        self._trainer = trainer
        self._begun: dict[int, float] = {}  # when each job began that is being trained
        self._told = {(kind, each.number) for kind in KINDS for each in journal.finished(kind)}
        self.ended = ""

    @property
    def trials(self) -> list[Trial]:
        """Return the finished trials, simple and drawn, in the order in which they ended."""
        found = self._journal.finished(SIMPLE) + self._journal.finished(DRAWN)
        return sorted(found, key=lambda trial: trial.outcome.ended)

    @property
    def _at_once(self) -> int:
        """Return how many jobs are trained at once, in this process and those beside it."""
        return self._trainer.slots * self._plan.jobs

    def try_candidates(self) -> list[Trial]:
        """Train the simple candidates and the drawn ones, with any other processes."""
        self._work(self._next_candidate, (SIMPLE, DRAWN))
        return self.trials

    def repeat_best(self) -> list[Finalist]:
        """Train the best again with other seeds; return them, the winner first."""
        plan = self._plan
        chosen = finalists(self.trials, plan.space.keep, plan.goal, plan.texts)
        if not chosen:
            return []
        jobs = [
            job
            for trial in chosen
            if not deterministic(trial.candidate)
            for job in repeat_jobs(trial, plan.repeats)
        ]
        wanted = {job.key for job in jobs}
        if jobs:
            print_note(
                f"the best {len(chosen)} again, with {plan.repeats} other seeds where a seed "
                "changes anything"
            )
        self._work(partial(self._journal.claim, REPEATS, jobs), (REPEATS,))
        again: dict[str, list[Trial]] = {trial.candidate.key: [] for trial in chosen}
        for trial in self._journal.finished(REPEATS):
            if trial.job.key in wanted and trial.outcome.whole:
                again[trial.candidate.key].append(trial)
        sound = [t for t in chosen if deterministic(t.candidate) or again[t.candidate.key]]
        return compare(sound, again, plan.goal, plan.texts) if sound else []

    def _work(self, claim: Callable[[], Claim | None], kinds: Sequence[str]) -> None:
        """Train what can be taken; wait for what other processes train, or leave unfinished."""
        while True:
            taken = claim() if len(self._begun) < self._trainer.slots else None
            if taken is not None:
                self._begin(taken)
                continue
            idle = not self._begun
            if not idle:
                self._store(*self._trainer.ended())
            waits = idle and any(map(self._journal.others_at_work, kinds))
            self._tell(kinds)
            if waits:
                time.sleep(WAIT_SECONDS)
            elif idle:
                return

    def _next_candidate(self) -> Claim | None:
        plan, journal = self._plan, self._journal
        self.ended = ""
        if self._out_of_time():
            self.ended = "the time is over"
            return None
        claim = journal.claim(SIMPLE, plan.simple)
        if claim is not None:
            return claim
        if plan.trials is None and stalled(self.trials, plan.goal, plan.texts):
            self.ended = f"{PLATEAU} trials in a row did not improve validation beyond noise"
            return None

        def draw(suggest: Suggest) -> Candidate:
            return draw_candidate(suggest, plan.arms, plan.space)

        known = {job.candidate.key for job in plan.simple}
        claim = journal.claim_drawn(draw, plan.seeds, plan.trials, known)
        if claim is None and journal.exhausted:
            self.ended = "nothing new is left in the space"
        return claim

    def _begin(self, claim: Claim) -> None:
        """Have a job trained."""
        is_behind = None
        head = claim.job.candidate.head
        if claim.kind == DRAWN and self._plan.space.halving:
            curves = [t.outcome.curve for t in self.trials if t.candidate.head == head]
            is_behind = Halving(curves).is_behind
        self._begun[claim.trial] = time.time()
        self._trainer.begin(claim, is_behind)

    def _store(self, claim: Claim, outcome: Outcome) -> None:
        """Store the outcome of a job that is done."""
        del self._begun[claim.trial]
        self._journal.finish(claim, outcome, score(self._plan.goal, outcome))

    def _tell(self, kinds: Sequence[str]) -> None:
        """Write a line for each job that has ended since, of this process or of another."""
        for kind in kinds:
            for trial in self._journal.finished(kind):
                if (kind, trial.number) not in self._told:
                    self._told.add((kind, trial.number))
                    self._note(kind, trial)

    def _left(self) -> float:
        """Return the seconds that are left for further trials."""
        plan, trials = self._plan, self.trials
        if plan.budget is None or not trials:
            return math.inf
        chosen = finalists(trials, plan.space.keep, plan.goal, plan.texts)
        once = [
            t.outcome.seconds / len(t.job.seeds)
            for t in chosen
            if not deterministic(t.candidate)
        ]
        again = max(sum(once) * plan.repeats / self._at_once, max(once, default=0.0))
        refit = REFIT * chosen[0].outcome.seconds if chosen else 0.0
        done = seconds_used(trials + self._journal.finished(REPEATS), self._begun.values())
        return plan.budget - done - again - refit

    def _out_of_time(self) -> bool:
        heads = [t.outcome.seconds for t in self.trials if t.candidate.head not in BASELINES]
        return bool(heads) and self._left() < median(heads)  # one head is always trained

    def _note(self, kind: str, trial: Trial) -> None:
        """Write the line of a job that is done: which, its accuracy, the best, time left."""
        plan, trials, outcome = self._plan, self.trials, trial.outcome
        several = plan.encoders > 1
        done = sum(each == kind for each, _ in self._told)
        total = {SIMPLE: len(plan.simple), DRAWN: plan.trials}.get(kind)
        count = f"{done} of {total}" if total else f"{done}"
        name = {SIMPLE: f"simple {count}", DRAWN: f"trial {count}"}.get(kind, "again")
        said = f"{outcome.accuracy:.1%}"
        if outcome.failed:
            said = "failed"
        elif outcome.stopped:
            said += f", stopped after epoch {len(outcome.curve)}"
        parts = [f"{name}: {trial.candidate.words(several)}: {said}"]
        best = ordered(trials, plan.goal)
        if best and kind != REPEATS:
            parts.append(
                f"best {best[0].outcome.accuracy:.1%}, {best[0].candidate.head}"
                if best[0].job.key != trial.job.key
                else "the best so far"
            )
            parts += self._time_left(trials, done, total, kind)
        print_note("; ".join(parts))

    def _time_left(
        self, trials: Sequence[Trial], done: int, total: int | None, kind: str
    ) -> list[str]:
        left = self._left()
        drawn = [trial.outcome.seconds for trial in trials]
        if kind == DRAWN and total:
            each = sum(drawn) / len(drawn) / self._at_once
            left = min(left, (total - done) * each)
        return [f"about {duration(max(0.0, left))} left"] if math.isfinite(left) else []
