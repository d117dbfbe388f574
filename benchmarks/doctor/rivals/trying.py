"""Diagnosis by trying: changes without a doctor, from the table of all single changes.

In the full form every change of a case has been trained for the truth already, so these voices
cost no training here; their price is what these trainings took. After a brief run the changes
that they would try are trained for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.doctor.case import Trial, train
from benchmarks.doctor.changes import CHANGES, FREQUENT, Tried, try_all
from benchmarks.doctor.measures import DOCTOR, RANDOM, RATE, TRIED, Line

GAIN = 2.0
"""Points of validation that the kept change must give."""


def said(
    tried: Sequence[Tried], before: float, lost: float, names: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return what someone says who tried some changes and keeps the best by validation.

    Args:
        tried: all changes that were trained.
        before: validation points of the run.
        lost: points that the fault costs; 0 of a healthy run.
        names: of the changes that they try; None: all of them.
    """
    chosen = [each for each in tried if names is None or each.name in names]
    seconds = sum(each.seconds for each in chosen)
    best = max(chosen, key=lambda each: each.validation, default=None)
    if best is None or best.validation < before + GAIN:
        return {"alarm": False, "causes": [], "seconds": seconds, "regained": 0.0}
    causes = [[best.cause]] if best.cause else []
    regained = best.gain.points / lost if lost > 0 else 0.0
    return {"alarm": True, "causes": causes, "seconds": seconds, "regained": regained}


def frequent(tried: Sequence[Tried], before: float, lost: float) -> dict[str, Any]:
    """Return what trying the ten most frequent remedies says."""
    return said(tried, before, lost, FREQUENT)


def rate(tried: Sequence[Tried], lost: float) -> dict[str, Any]:
    """Return what one says who always blames the learning rate, and takes the suggested one."""
    own = next((each for each in tried if each.name == "rate suggested"), None)
    regained = own.gain.points / lost if own and lost > 0 else 0.0
    causes = [["step_too_large", "step_too_small"]]
    seconds = own.seconds if own else 0.0
    return {"alarm": True, "causes": causes, "seconds": seconds, "regained": regained}


def random(
    tried: Sequence[Tried], before: float, lost: float, budget: float, seed: int
) -> dict[str, Any]:
    """Return what random single changes say within a budget in seconds, one at least."""
    names, spent = [], 0.0
    for i in np.random.default_rng(seed).permutation(len(tried)).tolist():
        if names and spent + tried[i].seconds > budget:
            break
        names.append(tried[i].name)
        spent += tried[i].seconds
    return said(tried, before, lost, names)


def ask_afterwards(run: Line, trial: Trial, lost: float) -> dict[str, Any]:
    """Return the line of a brief run once more, with what those say who try changes.

    Args:
        run: its line in the journal.
        trial: of the run.
        lost: points that the fault costs; 0 of a healthy run.
    """
    seed, before = run["seed"], train(trial, run["seed"])
    budget = max(run["said"][DOCTOR]["seconds"], before.seconds)
    drawn: list[Tried] = []
    for i in np.random.default_rng(seed).permutation(len(CHANGES)).tolist():
        found = list(try_all(trial, before, seed, CHANGES[i : i + 1], words=False))
        if drawn and sum(each.seconds for each in (*drawn, *found)) > budget:
            break
        drawn += found
    known = {each.name for each in drawn}
    rest = [each for each in CHANGES if each.name in FREQUENT and each.name not in known]
    tried = [*drawn, *try_all(trial, before, seed, rest, words=False)]
    score = before.validation_score
    others = {
        RATE: rate(tried, lost),
        RANDOM: said(tried, score, lost, [each.name for each in drawn]),
        TRIED: frequent(tried, score, lost),
    }
    return {**run, "said": {**run["said"], **others}}
