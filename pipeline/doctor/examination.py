"""The examination: what is measured, suspected, tried and said, in the order of a good doctor.

Is it a function and scored rightly; do texts and labels belong together; are the sides fit; why
does it not learn more. A score that cannot be trusted is told before one that is low. Where
nothing is wrong or nothing can be named, that is the answer.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from pipeline.doctor.case import Case
from pipeline.doctor.cause import STAGES, Cause, Suspected, suspicions
from pipeline.doctor.causes.registry import CAUSES
from pipeline.doctor.commands import remedy_command, with_data
from pipeline.doctor.conclusion import is_ill, is_refuted, refuted, ruled_out, state_of
from pipeline.doctor.findings import Afterwards, Certainty, Finding, Unseen, Verdict
from pipeline.doctor.measurements import Measurements
from pipeline.doctor.measurements.data import DEFAULTS
from pipeline.doctor.measuring.collection import Measurer, measure, still_known
from pipeline.doctor.measuring.defaults import seconds_of_defaults, with_defaults
from pipeline.doctor.measuring.parts import Parts
from pipeline.doctor.proving.budget import Budget
from pipeline.doctor.proving.prover import Prover
from pipeline.doctor.proving.remedied import proven_remedy

LIKELY = 0.6
"""Strength from which it is told though nothing was proven, if something is wrong."""

ENOUGH = 0.5
"""Share of what is missing that a proven change must bring back to end the search."""

CLEAR = 0.5
"""Strength from which a suspicion is tried rather than the defaults, if time is short."""

ALIKE = 0.1
"""Two suspicions whose strengths differ by less are not told apart."""

MOST_RULED_OUT = 3

TEST_UNSEEN = Unseen("The test texts' predictions were not looked at.")


def examine(
    case: Case,
    *,
    prove: bool = True,
    budget: float | None = None,
    every: bool = False,
    known: Measurements | None = None,
    causes: Sequence[Cause] = CAUSES,
    measurers: Sequence[Measurer] | None = None,
) -> Verdict:
    """Examine a training.

    Args:
        case: what it was made of.
        prove: try counterfactuals.
        budget: seconds for measuring and trying; None: 60, or until one training has been
            tried, if that is longer. Measuring is never cut short.
        every: go on behind the leading finding.
        known: measurements that were made before, such as while training.
        causes: that are looked for.
        measurers: that are asked; None: all.
    """
    started = time.perf_counter()
    limit = Budget(budget, case.seconds)
    measured, left_out = measure(case, known, measurers=measurers)
    limit.end_measuring()
    suspected = suspicions(measured, causes)
    parts = Parts(case)
    if prove and _needs_defaults(case, measured, suspected, limit):
        measured = _with_defaults(case, measured, parts, limit)
        limit.end_measuring()
        suspected = suspicions(measured, causes)
    prover = Prover(case, measured.missing_points, limit, parts)
    findings = _findings(case, measured, suspected, prover if prove else None, every)
    told = {finding.cause for finding in findings}
    against = () if not prove else refuted(suspected, prover, told)
    other = ruled_out(measured, causes, told | {one.cause for one in against})
    not_it = (*against, *other)
    state, summary = state_of(measured, findings)
    titles = {cause.name: cause.title for cause in causes}
    untried = prover.untried(titles, _proven(findings))
    then, more = _afterwards(prover, measured, findings, causes, measurers)
    return Verdict(
        state,
        summary,
        findings,
        not_it[:MOST_RULED_OUT] if not every else not_it,
        (TEST_UNSEEN, *map(Unseen, left_out), *untried, *more),
        measured,
        time.perf_counter() - started,
        then,
    )


def _afterwards(
    prover: Prover,
    measured: Measurements,
    findings: Sequence[Finding],
    causes: Sequence[Cause],
    measurers: Sequence[Measurer] | None,
) -> tuple[Afterwards | None, tuple[Unseen, ...]]:
    """Return what is found with the leading remedy in place, if it is proven, and what not."""
    leading = findings[0] if findings else None
    if leading is None or leading.certainty != "proven":
        return None, ()
    changed = prover.with_remedy(leading.cause, leading.remedy)
    if changed is None:
        if not prover.unmeasured:
            return None, ()
        asked = prover.budget.wanted(prover.unmeasured)
        what = "What is left with the remedy in place"
        why = f"{what} was not looked at for lack of time (--budget {asked})."
        return None, (Unseen(why, late=True),)
    known = still_known(prover.case, changed, measured)
    anew, _ = measure(changed, known, measurers=measurers)
    suspected = suspicions(anew, causes)
    parts = Parts(changed)
    if _needs_defaults(changed, anew, suspected, prover.budget):
        anew = _with_defaults(changed, anew, parts, prover.budget)
        suspected = suspicions(anew, causes)
    earlier = tuple(prover.tried)
    second = Prover(changed, anew.missing_points, prover.budget, parts, earlier)
    found = _findings(changed, anew, suspected, second, every=False)
    state, summary = state_of(anew, found)
    reached = None if anew.learning is None else anew.learning.accuracy
    titles = {cause.name: cause.title for cause in causes}
    untried = second.untried(titles, _proven(found))
    return Afterwards(state, summary, reached, found[:1]), untried


def _with_defaults(
    case: Case, measured: Measurements, parts: Parts, budget: Budget
) -> Measurements:
    """Return the measurements with the defaults among the references, and note the time."""
    began, made = budget.spent, 1.0

    def allows(trainings: float) -> bool:
        nonlocal made
        budget.note_training(began, made)
        fits = budget.allows(trainings * budget.price)
        made += trainings if fits else 0.0
        return fits

    measured = with_defaults(case, measured, parts, allows)
    budget.note_training(began, made)
    return measured


def _proven(findings: Sequence[Finding]) -> set[str]:
    return {one.cause for one in findings if one.certainty == "proven"}


def _needs_defaults(
    case: Case, measured: Measurements, suspected: Sequence[Suspected], budget: Budget
) -> bool:
    """Return whether the head is to be trained once with its default settings, as a reference.

    Not where sides or labels decide already, nor where it takes more than half the budget and
    something better to try is suspected.
    """
    if not measured.settings.departs or any(_decides(each) for each in suspected):
        return False
    known = measured.references
    if known is not None and known.named(DEFAULTS) is not None:
        return False
    seconds = seconds_of_defaults(case) * budget.price / max(budget.training, 1e-9)
    strongest = max((each.suspicion.strength for each in suspected), default=0.0)
    short = seconds <= budget.seconds / 2
    return (short or strongest < CLEAR) and budget.allows(seconds)


def _findings(
    case: Case,
    measured: Measurements,
    suspected: Sequence[Suspected],
    prover: Prover | None,
    every: bool,
) -> tuple[Finding, ...]:
    """Return the findings, the leading one first."""
    ill = is_ill(measured)
    tried: list[Suspected] = []
    certain: list[tuple[Suspected, Certainty]] = []
    for each in suspected:
        if certain and not every and _settled(certain, measured, prover):
            break
        if prover is not None:
            prover.attempt(each.cause.name, each.suspicion.counterfactuals)
        tried.append(each)
        # Each further change raises what all of them are judged by, those before it too.
        certain = _certain(tried, prover, ill)
    if certain:
        certain.sort(key=lambda pair: _weight(pair[0], pair[1], prover))
        return tuple(_finding(case, each, how, prover) for each, how in certain)
    if not ill:
        return ()
    likely = [
        each
        for each in tried
        if each.suspicion.strength >= LIKELY and not is_refuted(each.cause.name, prover)
    ]
    likely.sort(key=lambda each: -each.suspicion.strength)
    return _likely(case, likely, prover)


def _likely(
    case: Case, likely: Sequence[Suspected], prover: Prover | None
) -> tuple[Finding, ...]:
    """Return what signals alone say; two that say it as strongly are not told apart."""
    if not likely:
        return ()
    first, *others = likely
    rival = others[0] if others else None
    close = rival and first.suspicion.strength - rival.suspicion.strength < ALIKE
    if rival is None or not close:
        return tuple(_finding(case, each, "likely", prover) for each in likely)
    told = _finding(case, first, "not told apart", prover)
    return (
        replace(told, apart_from=rival.suspicion.explanation),
        *(_finding(case, each, "likely", prover) for each in others),
    )


def _certain(
    tried: Sequence[Suspected], prover: Prover | None, ill: bool
) -> list[tuple[Suspected, Certainty]]:
    """Return what is told for itself, with how certain it is by all that was tried so far."""
    found = [(each, _certainty(each, prover)) for each in tried]
    return [(each, how) for each, how in found if how and (how != "likely" or ill)]


def _certainty(each: Suspected, prover: Prover | None) -> Certainty | None:
    """Return how certain a suspicion is; None where nothing decides."""
    name, suspicion = each.cause.name, each.suspicion
    own: Certainty | None = "measured" if suspicion.measured else None
    if prover is None or not suspicion.counterfactuals:
        return own
    results = prover.results(name)
    if any(one.verdict == "confirmed" for one in results):
        return "likely" if prover.unsure(name) else "proven"
    return None if is_refuted(name, prover) else own


def _settled(
    certain: Sequence[tuple[Suspected, Certainty]],
    measured: Measurements,
    prover: Prover | None,
) -> bool:
    """Return whether the search can end: the score cannot be trusted, or most came back."""
    for each, how in certain:
        if _decides(each):
            return True
        gain = 0.0 if prover is None else prover.gain(each.cause.name)
        if how == "proven" and gain >= ENOUGH * measured.missing_points:
            return True
    return False


def _decides(each: Suspected) -> bool:
    """Return whether a finding makes the score untrue, or every change of the head useless."""
    stops = each.suspicion.remedy.stops or each.suspicion.measured
    return each.cause.stage in ("function", "sides") or (
        each.cause.stage == "belonging" and stops
    )


def _weight(each: Suspected, how: Certainty, prover: Prover | None) -> tuple[int, bool, float]:
    gain = 0.0 if prover is None else prover.gain(each.cause.name)
    stage = STAGES.index(each.cause.stage) if _decides(each) else len(STAGES)
    return stage, how == "likely", -gain


def _finding(
    case: Case, each: Suspected, certainty: Certainty, prover: Prover | None
) -> Finding:
    suspicion, config = each.suspicion, case.config
    proof = None if prover is None else prover.proof(each.cause.name)
    remedy = proven_remedy(suspicion.remedy, proof)
    command = remedy_command(config, remedy)
    trains = bool(command) and not remedy.command
    return Finding(
        cause=each.cause.name,
        certainty=certainty,
        headline=suspicion.headline,
        explanation=suspicion.explanation,
        evidence=suspicion.evidence,
        remedy=remedy,
        tried=() if prover is None else prover.results(each.cause.name),
        command=command,
        also="" if config is None else with_data(config, remedy.also),
        seconds=round(case.seconds, 1) if trains and not remedy.head else None,
    )
