"""Ask the doctor: the only file of the benchmark that knows how."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from benchmarks.doctor.case import Outcome, Trial
from features.corpus.corpus import Corpus
from features.tables import FeatureTables
from features.vectors.table import POOLED

SIDES = "train", "validation", "test"


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor said of one run.

    Attributes:
        state: ``ill``, ``healthy`` or ``unknown``.
        causes: named, the leading one first.
        certainties: one for each cause.
        harmless: for each cause, whether it is said not to be shown to cost accuracy.
        settings: that the leading remedy changes, as text.
        head: that the leading remedy takes instead; '' the same.
        told: the score that the leading finding says is the true one, in points; None.
        texts: how many it rests on.
        seconds: the examination took.
        measured: its measurements, flat: name -> number.
        summary: its headline.
        error: what it raised instead; '' usually.
    """

    state: str
    causes: tuple[str, ...] = ()
    certainties: tuple[str, ...] = ()
    harmless: tuple[bool, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    head: str = ""
    told: float | None = None
    texts: int = 0
    seconds: float = 0.0
    measured: Mapping[str, float] = field(default_factory=dict)
    summary: str = ""
    error: str = ""


def diagnose(
    trial: Trial, found: Outcome, seed: int, prove: bool = True, budget: float | None = None
) -> Diagnosis:
    """Ask the doctor about one run. What it raises is an answer, too: ``unknown``.

    Args:
        trial: the run; its fresh texts are given as the test side, without predictions.
        found: what the training gave.
        seed: of the training.
        prove: try counterfactuals.
        budget: seconds for them; None: the doctor's own.
    """
    started = time.perf_counter()
    try:
        ask = _examine_user if trial.build is not None else _examine
        verdict = ask(trial, found, seed, prove, budget)
    except Exception as error:  # one run must not end the benchmark
        text = f"{type(error).__name__}: {error}"
        return Diagnosis("unknown", seconds=time.perf_counter() - started, error=text[:300])
    leading = verdict.leading
    remedy = None if leading is None else leading.remedy
    return Diagnosis(
        state=verdict.state,
        causes=tuple(each.cause for each in verdict.findings),
        certainties=tuple(each.certainty for each in verdict.findings),
        harmless=tuple(_is_harmless(each) for each in verdict.findings),
        settings=dict(remedy.settings) if remedy else {},
        head=remedy.head if remedy else "",
        told=_told(leading),
        texts=leading.tried[0].texts if leading and leading.tried else 0,
        seconds=time.perf_counter() - started,
        measured=flat(verdict.measurements.to_dict()),
        summary=leading.headline if leading else verdict.summary,
    )


def _facts(trial: Trial) -> dict[str, Any]:
    """Return what the doctor's case says of texts and pooled vectors."""
    material = trial.material
    pooled = material.tables.get(POOLED)
    facts: dict[str, Any] = {"pooled": None if pooled is None else pooled.values}
    if material.texts is not None and pooled is not None:
        from features.duplicates.duplicates import find_duplicates

        names = tuple(material.classes[i] for i in trial.seen_labels.tolist())
        splits = None
        if trial.split_given:
            cells = np.full(len(material), "train", dtype=object)
            cells[trial.validation], cells[trial.fresh] = "validation", "test"
            splits = tuple(cells.tolist())
        facts["corpus"] = Corpus(material.texts, names, splits)
        facts["duplicates"] = find_duplicates(material.texts, pooled.values)
        facts["tokens"], facts["truncated"] = material.tokens, material.truncated
    return facts


def _examine(trial: Trial, found: Outcome, seed: int, prove: bool, budget: float | None) -> Any:
    from pipeline.doctor.case import Case
    from pipeline.doctor.examination import examine
    from pipeline.training.diagnosis import diagnose as measure_training

    tables = FeatureTables((trial.table,))
    labels = trial.seen_labels
    learned = found.trained
    known: dict[str, Any] = {}
    if learned is not None:
        read = tables, labels, trial.train, trial.validation
        known = {
            "history": learned.history,
            "best_epoch": learned.best_epoch,
            "diagnostics": measure_training(learned, *read, found.validation),
        }
    case = Case(
        head=trial.head,
        settings=trial.resolved(),
        tables=tables,
        labels=labels,
        classes=trial.known,
        train=trial.train,
        validation=trial.validation,
        test=trial.fresh,
        logits=found.validation,
        seed=seed,
        seconds=found.seconds,
        trained=learned,
        **known,
        **_facts(trial),
    )
    return examine(case, prove=prove, budget=budget)


def _examine_user(
    trial: Trial, found: Outcome, seed: int, prove: bool, budget: float | None
) -> Any:
    from benchmarks.doctor.candidates.foreign import BATCH, EPOCHS, RATE
    from heads.examination.learning import Loop
    from heads.problem import Problem
    from pipeline.doctor.foreign.examination import examine_module

    assert trial.build is not None
    names = trial.classes
    build = partial(trial.build, trial.table.width, len(names))
    sides = trial.train, trial.validation
    problem = Problem(trial.table, trial.seen_labels, *sides, len(names), names)
    loop = Loop(learning_rate=RATE, epochs=EPOCHS, batch_size=BATCH, seed=seed)
    facts = _facts(trial)
    return examine_module(build, problem, loop, "head", prove=prove, budget=budget, **facts)


def _is_harmless(finding: Any) -> bool:
    """Return whether a finding tells that its change does not raise accuracy.

    That is told of a squashed output, which is proven by the loss.
    """
    costs = [each for each in finding.tried if each.measure == "accuracy"]
    told = finding.cause == "output_squashed" and bool(costs)
    return told and all(each.verdict != "confirmed" for each in costs)


def _told(leading: Any) -> float | None:
    """Return the score after the deciding counterfactual, in points."""
    if leading is None or not leading.tried or leading.tried[0].measure != "accuracy":
        return None
    return 100 * float(leading.tried[0].after)


def flat(values: Any, name: str = "") -> dict[str, float]:
    """Return the numbers of nested values under joined names; of lists their first six."""
    if isinstance(values, bool | int | float):
        return {name: float(values)}
    if isinstance(values, Mapping):
        parts = [(key, each) for key, each in values.items() if key not in ("names", "epochs")]
    elif isinstance(values, list | tuple):
        parts = [(str(i), each) for i, each in enumerate(values[:6])]
    else:
        return {}
    numbers: dict[str, float] = {}
    for key, each in parts:
        numbers.update(flat(each, f"{name}.{key}" if name else str(key)))
    return numbers
