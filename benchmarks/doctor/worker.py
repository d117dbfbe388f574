"""Do one case: decide its truth without the doctor, then ask all voices about its runs."""

from __future__ import annotations

import time
import traceback
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from benchmarks.doctor.case import (
    LEVEL,
    POINTS,
    Case,
    Difference,
    Outcome,
    Pair,
    Trial,
    takes_effect,
    train,
)
from benchmarks.doctor.changes import REFERENCES, Tried, best_change, right_causes, try_all
from benchmarks.doctor.diagnosis import Diagnosis, diagnose
from benchmarks.doctor.journal import append
from benchmarks.doctor.material import Ingredients
from benchmarks.doctor.measures import (
    DOCTOR,
    EXCLUDED,
    FAULT,
    HARMLESS,
    HEALTHY,
    QUIET,
    RANDOM,
    RATE,
    TRIED,
)
from benchmarks.doctor.plan import Request, cases_of
from benchmarks.doctor.rivals import trying
from benchmarks.doctor.rivals.records import record
from benchmarks.doctor.rivals.rules import TOOLS, without_inputs
from benchmarks.doctor.settling import settle
from features.errors import ManyheadsError
from heads.registry import head_type
from heads.settings import TrainingSettings

UNNAMED = "UMLAUT", "DeepDiagnosis"
"""Their rule on inputs is always broken by an encoder's vectors; asked without it too."""


class Worker:
    """Does the cases of one process."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.ingredients = Ingredients(request.cache, request.data, request.draw - 1)
        self.cases = {case.name: case for case in cases_of(request)}
        self.numbers = {name: number for number, name in enumerate(sorted(self.cases))}
        self.seeds = request.seeds

    def do(self, name: str, done: Sequence[Mapping[str, Any]]) -> None:
        """Do what of a case is not done; what it raises becomes an ``error`` line."""
        with self._noting(name):
            self._do(self.cases[name], done)

    @contextmanager
    def _noting(self, name: str) -> Iterator[None]:
        """Write what a case raises to the journal, so that it does not end the others."""
        try:
            yield
        except Exception as error:
            text = "".join(traceback.format_exception(error))[-1500:]
            self._write({"record": "error", "case": name, "error": text})

    def _do(self, case: Case, done: Sequence[Mapping[str, Any]]) -> None:
        pair = case.make(self.ingredients, self._random(case))
        training = self._seeds(pair.faulty)
        outcomes: dict[int, Outcome] = {}
        truth = next((line for line in done if line["record"] == "truth"), None)
        if truth is None:
            truth = self._truth(case, pair, outcomes)
            self._write(truth)
        if truth["kind"] == EXCLUDED:
            return
        before = () if self.request.again else done
        known = {line["seed"] for line in before if line["record"] == "run"}
        # What is harmless is asked once: three seeds of it would say the same three times.
        for seed in training[: 1 if truth["kind"] == HARMLESS else len(training)]:
            if seed not in known:
                found = outcomes.get(seed) or train(pair.faulty, seed)
                self._write(self._run(truth, pair.faulty, found, seed, seed == training[0]))

    def settle(self, name: str, truth: Mapping[str, Any], causes: Collection[str]) -> None:
        """Write the truth of a case once more, with what settles some causes."""
        with self._noting(name):
            case = self.cases[name]
            pair = case.make(self.ingredients, self._random(case))
            self._write(settle(case, pair, truth, causes, self._all_seeds(pair.faulty)))

    def ask_who_tries(
        self, name: str, truth: Mapping[str, Any], run: Mapping[str, Any]
    ) -> None:
        """Write the line of a brief run once more, with what those say who try changes."""
        with self._noting(name):
            case = self.cases[name]
            trial = case.make(self.ingredients, self._random(case)).faulty
            self._write(trying.ask_afterwards(run, trial, _lost(truth)))

    def _random(self, case: Case) -> np.random.Generator:
        # By name: the limit and the corpora at hand change no case.
        return np.random.default_rng([self.seeds["data"], *case.name.encode()])

    def _seeds(self, trial: Trial) -> list[int]:
        """Return the training seeds."""
        return self._all_seeds(trial)[: 1 if self.request.brief else None]

    def _all_seeds(self, trial: Trial) -> list[int]:
        """Return all training seeds; one of heads without chance, where three are the same."""
        steps = issubclass(head_type(trial.head).settings, TrainingSettings)
        seeds: list[int] = self.seeds["training"]
        return seeds if steps or trial.build is not None else seeds[:1]

    def _write(self, line: Mapping[str, Any]) -> None:
        append(self.request.journal, line)

    def _truth(self, case: Case, pair: Pair, outcomes: dict[int, Outcome]) -> dict[str, Any]:
        """Return what a case is, decided without the doctor."""
        started = time.perf_counter()
        training = self._seeds(pair.faulty)
        for seed in training:
            outcomes[seed] = train(pair.faulty, seed)
        faulty = [outcomes[seed] for seed in training]
        lost, kind, twin = Difference(0.0, 0.0), HEALTHY, faulty
        if not case.healthy:
            twin = [train(pair.twin, seed) for seed in self._seeds(pair.twin)]
            lost = takes_effect(case, pair, faulty, twin)
            kind = _kind(lost)
        tried, better = [], None
        if kind != EXCLUDED and not self.request.brief:
            tried = list(try_all(pair.faulty, faulty[0], training[0]))
        elif kind == HEALTHY and self.request.brief:
            tried = list(try_all(pair.faulty, faulty[0], training[0], REFERENCES))
        if tried and kind in (HEALTHY, HARMLESS):
            better = best_change(pair.faulty, faulty, training, tried)
            kind = EXCLUDED if better else kind
        right = (
            right_causes(case.causes, case.accepted, lost.points, tried)
            if kind == FAULT
            else ()
        )
        return {
            "record": "truth",
            "case": case.name,
            "kind": kind,
            "ill": case.ill,
            "seeded": case.causes,
            "right": right,
            "effect": case.effect,
            "lost": lost.points,
            "error": lost.error,
            "scores": [each.score for each in faulty],
            "twin": [each.score for each in twin],
            "better": asdict(better) if better else None,
            "tried": [] if self.request.brief else [asdict(each) for each in tried],
            "seconds": time.perf_counter() - started,
        }

    def _run(
        self, truth: Mapping[str, Any], trial: Trial, found: Outcome, seed: int, first: bool
    ) -> dict[str, Any]:
        """Return what the doctor and all others say of one run."""
        said: dict[str, Any] = {}
        lost = _lost(truth)
        tried = [Tried(**{**one, "gain": Difference(**one["gain"])}) for one in truth["tried"]]
        answer = diagnose(trial, found, seed)
        said[DOCTOR] = _as_said(answer)
        said[DOCTOR]["regained"] = _regained(trial, found, answer, lost, seed)
        if first:
            said[QUIET] = _as_said(diagnose(trial, found, seed, prove=False))
        seen = record(trial, seed)
        for name, rules in TOOLS.items():
            symptoms = rules(seen)
            said[name] = _symptoms(symptoms)
            if name in UNNAMED:
                said[f"{name}, no input rule"] = _symptoms(without_inputs(symptoms))
        before = found.validation_score
        if tried:
            budget = max(answer.seconds, found.seconds)
            said[RATE] = trying.rate(tried, lost)
            said[RANDOM] = trying.random(tried, before, lost, budget, seed)
            said[TRIED] = trying.frequent(tried, before, lost)
        return {
            "record": "run",
            "case": truth["case"],
            "seed": seed,
            "seconds": found.seconds,
            "validation": before,
            "fresh": found.fresh_score,
            "said": said,
            "measured": answer.measured,
            "failed": answer.error,
        }


def _kind(lost: Difference) -> str:
    """Return what a seeded fault is by its effect; excluded: it may cost something."""
    if lost.beyond(POINTS, LEVEL):
        return FAULT
    return EXCLUDED if lost.points >= POINTS else HARMLESS


def _lost(truth: Mapping[str, Any]) -> float:
    """Return the points that a fault costs; 0 where it makes the score untrue."""
    return float(truth["lost"]) if truth["effect"] == "loss" else 0.0


def _as_said(answer: Diagnosis) -> dict[str, Any]:
    return {
        "alarm": answer.state == "ill",
        "state": answer.state,
        "causes": [[cause] for cause in answer.causes],
        "certain": answer.certainties,
        "harmless": answer.harmless,
        "summary": answer.summary,
        "told": answer.told,
        "texts": answer.texts,
        "seconds": answer.seconds,
    }


def _symptoms(found: Sequence[tuple[str, tuple[str, ...]]]) -> dict[str, Any]:
    causes = [list(each) for _, each in found if each]
    return {"alarm": bool(found), "causes": causes, "symptoms": [name for name, _ in found]}


def _regained(
    trial: Trial, found: Outcome, answer: Diagnosis, lost: float, seed: int
) -> float | None:
    """Return the share of the lost points that the one remedy gives back; None without one."""
    if lost <= 0 or trial.build is not None or not (answer.settings or answer.head):
        return None
    changed = trial.changed(**answer.settings)
    if answer.head and answer.head != trial.head:
        changed = replace(trial, head=answer.head, settings={**answer.settings, "refit": False})
    try:
        after = train(changed, seed)
    except ManyheadsError:
        return 0.0
    return (after.score - found.score) / lost
