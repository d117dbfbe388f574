"""Run cases and keep a journal: JSON Lines, one line on disk before the next training begins.

A case gives one ``truth`` line, which says whether its fault takes effect or whether it is
healthy, decided without the doctor, and one ``run`` line for each training seed. What the
journal has is not done again, so a kill loses one run.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from itertools import islice, zip_longest
from multiprocessing import get_context
from pathlib import Path
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
from benchmarks.doctor.faults import MADE, data_cases, double_cases, setting_cases
from benchmarks.doctor.foreign import foreign_cases
from benchmarks.doctor.healthy import healthy_cases
from benchmarks.doctor.journal import append, read_journal
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
from benchmarks.doctor.rivals import trying
from benchmarks.doctor.rivals.records import record
from benchmarks.doctor.rivals.rules import TOOLS, without_inputs
from features.errors import ManyheadsError
from heads.registry import head_type
from heads.settings import TrainingSettings

SEEDS = Path(__file__).with_name("seeds.json")
DOUBLES = 7
"""Cases with two faults in each round, beside one of each cause."""
UNNAMED = "UMLAUT", "DeepDiagnosis"
"""Their rule on inputs is always broken by an encoder's vectors; asked without it too."""


@dataclass(frozen=True)
class Request:
    """What is to be run.

    Attributes:
        half: ``tune`` or ``report``.
        out: folder of the journal.
        cache: folder of encoded texts.
        data: folder of the public corpora, or None.
        limit: maximum number of cases; 0: all.
        corpora: the only ones; (): all.
        only: cases whose name has one of these, joined by commas; '': all.
        seconds: time for the whole; after it no case begins. 0: no end.
        again: ask about runs that the journal has, too, since the doctor has changed.
        brief: one seed, and no single changes: right is what was seeded, healthy what was made
            so and neither ``logistic`` nor TF-IDF beats; who tries changes is not asked.
    """

    half: str
    out: Path
    cache: Path
    data: Path | None = None
    limit: int = 0
    corpora: tuple[str, ...] = ()
    only: str = ""
    seconds: float = 0.0
    again: bool = False
    brief: bool = False

    @property
    def journal(self) -> Path:
        """Return the journal's file."""
        return self.out / f"{self.half}.jsonl"


def seeds_of(half: str) -> dict[str, Any]:
    """Return the seeds of a half, from the file that was written beforehand."""
    found: dict[str, Any] = json.loads(SEEDS.read_text(encoding="utf-8"))[half]
    return found


def cases_of(request: Request) -> list[Case]:
    """Return the cases in the order in which they are taken; a limit keeps the mixture.

    In turn one of each cause, some with two, and as many healthy ones, of which half look ill.
    """
    half, rng = request.half, np.random.default_rng(seeds_of(request.half)["order"])
    groups: dict[str, list[Case]] = {}
    for case in (*setting_cases(half), *data_cases(half), *foreign_cases(half)):
        groups.setdefault(case.causes[0], []).append(case)
    healthy = list(healthy_cases(half))
    groups["two"] = list(double_cases(half))
    groups["ill"] = [case for case in healthy if case.ill]
    groups["well"] = [case for case in healthy if not case.ill]
    mixed = {
        name: [group[i] for i in rng.permutation(len(group))] for name, group in groups.items()
    }
    kept = {
        name: [case for case in group if _wanted(case, request)]
        for name, group in mixed.items()
    }
    ordered = list(_rounds(kept))
    return ordered[: request.limit] if request.limit else ordered


def _wanted(case: Case, request: Request) -> bool:
    corpus = case.name.split("/")[2]
    if request.corpora and corpus not in request.corpora:
        return False
    if request.data is None and corpus not in ("E", "T", *MADE):
        return False
    return any(part in case.name for part in request.only.split(","))


def _rounds(groups: Mapping[str, list[Case]]) -> Iterator[Case]:
    causes = [group for name, group in groups.items() if name not in ("two", "ill", "well")]
    ill, well, two = iter(groups["ill"]), iter(groups["well"]), iter(groups["two"])
    for wave in zip_longest(*causes):
        faults = [case for case in wave if case is not None]
        faults += islice(two, DOUBLES)
        for i, case in enumerate(faults):
            yield case
            partner = next(ill if i % 2 else well, None)
            if partner is not None:
                yield partner


class Worker:
    """Does the cases of one process."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.ingredients = Ingredients(request.cache, request.data)
        self.cases = {case.name: case for case in cases_of(request)}
        self.numbers = {name: number for number, name in enumerate(sorted(self.cases))}
        self.seeds: dict[str, Any] = seeds_of(request.half)

    def do(self, name: str, done: Sequence[Mapping[str, Any]]) -> None:
        """Do what of a case is not done; what it raises becomes an ``error`` line."""
        try:
            self._do(self.cases[name], done)
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

    def _random(self, case: Case) -> np.random.Generator:
        # By name: the limit and the corpora at hand change no case.
        return np.random.default_rng([self.seeds["data"], *case.name.encode()])

    def _seeds(self, trial: Trial) -> list[int]:
        """Return the training seeds; one of heads without chance, where three are the same."""
        steps = issubclass(head_type(trial.head).settings, TrainingSettings)
        seeds: list[int] = self.seeds["training"]
        if self.request.brief:
            return seeds[:1]
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
        lost = truth["lost"] if truth["effect"] == "loss" else 0.0
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


def _as_said(answer: Diagnosis) -> dict[str, Any]:
    return {
        "alarm": answer.state == "ill",
        "state": answer.state,
        "causes": [[cause] for cause in answer.causes],
        "certain": answer.certainties,
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


_worker: Worker | None = None


def _start(request: Request) -> None:
    global _worker
    import torch

    torch.set_num_threads(1)
    _worker = Worker(request)


def _do(name: str, done: list[dict[str, Any]]) -> str:
    assert _worker is not None
    _worker.do(name, done)
    return name


def run(request: Request, jobs: int) -> None:
    """Do the cases that the journal does not have; one job is this process."""
    done: dict[str, list[dict[str, Any]]] = {}
    for line in read_journal(request.journal):
        done.setdefault(line["case"], []).append(line)
    names = [case.name for case in cases_of(request)]
    started, count = time.monotonic(), 0

    def late() -> bool:
        return 0 < request.seconds < time.monotonic() - started

    if jobs == 1:
        _start(request)
        for name in names:
            if late():
                return
            _do(name, done.get(name, []))
            count = _tell(name, count, len(names))
        return
    context = get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _start, (request,)) as pool:
        waiting = iter(names)
        running = {
            pool.submit(_do, name, done.get(name, []))
            for _, name in zip(range(jobs), waiting, strict=False)
        }
        while running:
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for each in finished:
                count = _tell(each.result(), count, len(names))
                name = None if late() else next(waiting, None)
                if name is not None:
                    running.add(pool.submit(_do, name, done.get(name, [])))


def _tell(name: str, count: int, total: int) -> int:
    sys.stderr.write(f"{count + 1} of {total}: {name}\n")
    sys.stderr.flush()
    return count + 1
