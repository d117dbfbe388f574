"""Proof: the counterfactuals that are tried, within a budget, and what they say together."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from features.errors import ManyheadsError
from pipeline.command_line import train_command
from pipeline.doctor.case import Case
from pipeline.doctor.commands import changed_config
from pipeline.doctor.counterfactual import ChangedSettings, Counterfactual, Trial
from pipeline.doctor.findings import CounterfactualResult, Remedy, Unseen
from pipeline.doctor.measuring.parts import Parts
from pipeline.doctor.proving.budget import Budget
from pipeline.doctor.proving.judgement import CLOSE, NOTHING, Judgement, judge
from pipeline.doctor.proving.remedied import trained, with_remedy
from pipeline.doctor.proving.tried import Tried

MOST = 3
"""Changes that train, tried on one case."""

QUICK = 2.0
"""Seconds that a counterfactual without training is taken to need."""


@dataclass(eq=False)
class Prover:
    """Tries counterfactuals on a case and judges all of them together.

    Attributes:
        case: the run.
        missing: what the best reference is ahead by.
        budget: of the examination.
        parts: the case with other texts held out.
        earlier: what was tried on the case before it was changed; it counts among the tries.
        tried: so far.
        skipped: causes whose counterfactual did not fit into the budget, with seconds.
        beyond: causes that were not tried since ``MOST`` changes had been.
        unmeasured: seconds for which the remedied case was not measured; 0: none.
        judged: what was judged last, and how, so that it is not resampled at every question.
    """

    case: Case
    missing: float
    budget: Budget
    parts: Parts
    earlier: tuple[Tried, ...] = ()
    tried: list[Tried] = field(default_factory=list)
    skipped: dict[str, float] = field(default_factory=dict)
    beyond: list[str] = field(default_factory=list)
    unmeasured: float = 0.0
    judged: tuple[tuple[Tried, ...], tuple[Judgement, ...]] = ((), ())

    def seconds_of(self, counterfactual: Counterfactual) -> float:
        """Return about how long a counterfactual takes."""
        return max(QUICK, counterfactual.trainings * self.budget.price)

    def _allows(self, cause: str, counterfactual: Counterfactual) -> bool:
        """Return whether budget and number of trainings allow one more; note it if not."""
        trainings = sum(each.counterfactual.trainings > 0 for each in self.tried)
        if counterfactual.trainings > 0 and trainings >= MOST:
            self.beyond.append(cause)
            return False
        if not self.budget.allows(self.seconds_of(counterfactual)):
            self.skipped[cause] = self.seconds_of(counterfactual)
            return False
        return True

    def attempt(self, cause: str, counterfactuals: tuple[Counterfactual, ...]) -> None:
        """Try the counterfactuals of a cause, the cheapest first, until one confirms it."""
        for each in sorted(counterfactuals, key=lambda one: one.trainings):
            if not self._allows(cause, each):
                continue
            began = self.budget.spent
            try:
                trial = each.run(self.case)
            except ManyheadsError:  # it cannot be made or diverges: it says nothing
                continue
            if each.trainings > 0:
                self.budget.note_training(began, each.trainings)
            if not len(trial.before) or not len(trial.after):
                continue
            self.tried.append(Tried(cause, each, trial))
            self._repeat_if_close()
            self._ask_more_texts()
            if any(found.verdict == "confirmed" for found in self.results(cause)):
                return

    def _repeat_if_close(self) -> None:
        """Try the last one with a second seed, where seeds alone could make the difference.

        Where that cannot be done, or the budget does not allow it, the result stays as it is,
        marked as of one seed.
        """
        last = self.tried[-1]
        judged = self._judgements()[-1]
        if judged.outcome != "confirmed" or judged.gain >= CLOSE:
            return
        if not last.counterfactual.trains or not last.trial.paired:
            return  # other texts under another seed cannot be put together
        price = self.seconds_of(last.counterfactual) + max(QUICK, self.budget.price)
        if not self.budget.allows(price):
            self.skipped[last.cause] = price
            return
        started = time.perf_counter()
        try:
            second = self._with_another_seed(last.counterfactual)
        except ManyheadsError:
            return
        if len(second.before) != len(last.trial.before):
            return
        seconds = last.trial.seconds + time.perf_counter() - started
        pooled = replace(pooled_trial(last.trial, second), seconds=seconds)
        self.tried[-1] = replace(last, trial=pooled, again=True)

    def _ask_more_texts(self) -> None:
        """Try the last one on more texts, where the validation texts leave a gain open."""
        last, judged = self.tried[-1], self._judgements()[-1]
        own = last.counterfactual
        if judged.outcome != "open" or judged.gain < NOTHING:
            return
        if not isinstance(own, ChangedSettings) or own.measure != "accuracy":
            return
        trials = [last.trial]
        for number in range(self.parts.count):
            price = self.seconds_of(own)
            if self.parts.fresh(number):
                price += max(QUICK, self.budget.price)
            if not self.budget.allows(price):
                self.skipped[last.cause] = price
                break
            part = self.parts.trained(number)
            if part is None:
                break
            try:
                trials.append(own.run(part))
            except ManyheadsError:
                break
        if len(trials) > 1:
            seconds = sum(each.seconds for each in trials)
            trial = replace(joined_trials(trials), seconds=seconds)
            self.tried[-1] = replace(last, trial=trial, parts=len(trials))

    def _with_another_seed(self, counterfactual: Counterfactual) -> Trial:
        """Train the run with another seed, and try the counterfactual on that."""
        other = replace(self.case, seed=self.case.seed + 1, other_seeds=())
        own = other.train_again()
        logits = own.logits(other.tables, other.validation, other.device)
        return counterfactual.run(replace(other, logits=logits, trained=own))

    def with_remedy(self, cause: str, remedy: Remedy) -> Case | None:
        """Return the case with the proven remedy of a cause in place, trained.

        None where nothing here can put it in place, or the budget does not allow it, which
        ``unmeasured`` tells then.
        """
        proof = self.proof(cause)
        changed = None if proof is None else with_remedy(self.case, remedy, proof)
        if changed is None:
            return None
        known = changed.trained is not None or not changed.head
        trains = 0.0 if known else self.budget.price
        price = max(QUICK, trains + self.budget.measured)
        if not self.budget.allows(price):
            self.unmeasured = price
            return None
        try:
            return trained(changed)
        except ManyheadsError:  # it diverges
            return None

    def unsure(self, cause: str) -> bool:
        """Return whether the deciding result of a cause is small and of one seed alone."""
        found = [
            (each, judged)
            for each, judged in zip(self.tried, self._judgements(), strict=True)
            if each.cause == cause and judged.outcome == "confirmed"
        ]
        return bool(found) and all(
            each.counterfactual.trains
            and judged.gain < CLOSE
            and not each.again
            and each.parts == 1
            for each, judged in found
        )

    def untried(self, titles: Mapping[str, str], proven: set[str]) -> tuple[Unseen, ...]:
        """Return what was not tried, and why.

        Args:
            titles: of the causes, by name.
            proven: causes for which nothing more had to be tried.
        """
        late = {name: each for name, each in self.skipped.items() if name not in proven}
        beyond = dict.fromkeys(name for name in self.beyond if name not in proven | set(late))
        told = []
        if late:
            names = ", ".join(titles[name] for name in late)
            asked = self.budget.wanted(sum(late.values()))
            why = f"Not tried to the end for lack of time: {names} (--budget {asked})."
            told.append(Unseen(why, late=True))
        if beyond:
            names = ", ".join(titles[name] for name in beyond)
            why = f"Not tried, since {MOST} changes that train are the most: {names}."
            told.append(Unseen(why))
        return tuple(told)

    def _judgements(self) -> tuple[Judgement, ...]:
        every = (*self.earlier, *self.tried)
        known, judged = self.judged
        if list(map(id, known)) != list(map(id, every)):
            judged = self._judge(every)
            self.judged = every, judged
        return judged[len(self.earlier) :]

    def _judge(self, every: Sequence[Tried]) -> tuple[Judgement, ...]:
        trials = [(each.trial, each.counterfactual.expected) for each in every]
        looks = [1 if each.parts == 1 else 2 for each in every]
        return judge(trials, self.missing, looks=looks)

    def results(self, cause: str) -> tuple[CounterfactualResult, ...]:
        """Return what was tried for a cause, what confirms it first."""
        found = [
            self._result(each, judged)
            for each, judged in zip(self.tried, self._judgements(), strict=True)
            if each.cause == cause
        ]
        order = {"confirmed": 0, "open": 1, "refuted": 2}
        return tuple(sorted(found, key=lambda one: order[one.verdict]))

    def proof(self, cause: str) -> Tried | None:
        """Return what confirmed a cause; None where nothing did."""
        found = zip(self.tried, self._judgements(), strict=True)
        return next(
            (
                each
                for each, judged in found
                if each.cause == cause and judged.outcome == "confirmed"
            ),
            None,
        )

    def gain(self, cause: str) -> float:
        """Return the largest confirmed gain of a cause; 0 without one."""
        return max(
            (
                judged.gain
                for each, judged in zip(self.tried, self._judgements(), strict=True)
                if each.cause == cause and judged.outcome == "confirmed"
            ),
            default=0.0,
        )

    def _result(self, tried: Tried, judged: Judgement) -> CounterfactualResult:
        own = tried.counterfactual
        command = ""
        if isinstance(own, ChangedSettings) and self.case.config is not None:
            changed = changed_config(self.case.config, own.settings, own.head, own.layout)
            command = train_command(changed)
        return CounterfactualResult(
            change=own.change + (", two seeds" if tried.again else ""),
            measure=judged.measure,
            before=judged.before,
            after=judged.after,
            interval=judged.interval,
            verdict=judged.outcome,
            seconds=round(tried.trial.seconds, 1),
            command=command,
            texts=len(tried.trial.before),
            curve=tried.trial.curve,
            paired=tried.trial.paired,
            parts=tried.parts,
        )


def joined_trials(trials: Sequence[Trial]) -> Trial:
    """Return one trial of several on different texts, one behind the other."""
    known = [each.likelihoods for each in trials if each.likelihoods is not None]
    likelihoods = None
    if len(known) == len(trials):
        before, after = (np.concatenate(side) for side in zip(*known, strict=True))
        likelihoods = before, after
    return replace(
        trials[0],
        before=np.concatenate([each.before for each in trials]),
        after=np.concatenate([each.after for each in trials]),
        likelihoods=likelihoods,
    )


def pooled_trial(first: Trial, second: Trial) -> Trial:
    """Return one trial of two seeds on the same texts: the mean, or one after the other."""
    if first.statistic == "macro_f1":
        assert first.labels is not None
        return replace(
            first,
            before=np.concatenate([first.before, second.before]),
            after=np.concatenate([first.after, second.after]),
            labels=np.concatenate([first.labels, first.labels]),
        )
    likelihoods = None
    if first.likelihoods is not None and second.likelihoods is not None:
        pairs = zip(first.likelihoods, second.likelihoods, strict=True)
        before, after = ((one + other) / 2 for one, other in pairs)
        likelihoods = before, after
    return replace(
        first,
        before=(first.before.astype(float) + second.before) / 2,
        after=(first.after.astype(float) + second.after) / 2,
        likelihoods=likelihoods,
    )
