"""The conclusion: is anything wrong at all, and what it is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pipeline.doctor.cause import Cause, Suspected
from pipeline.doctor.findings import Finding, RuledOut
from pipeline.doctor.measurements import Measurements
from pipeline.doctor.proving.judgement import POINTS
from pipeline.doctor.symptom import PARTIAL, name_of, symptom_of

if TYPE_CHECKING:
    from pipeline.doctor.proving.prover import Prover

NOTHING_LEARNED, LITTLE = 0.02, 0.1
"""Gain of the loss and of the accuracy over the best constant answer; a head that is too sure
of itself has a bad loss alone."""


def is_ill(measured: Measurements) -> bool:
    """Return whether something is wrong with the training, whatever the cause.

    It uses few of the classes, knows nothing about the texts, or a simple classifier is better
    beyond noise. A gap to the training texts or a rising loss is no illness.
    """
    learning = measured.learning
    best = None if measured.references is None else measured.references.best
    behind = measured.behind and best is not None and best.ahead >= POINTS
    if learning is None:
        return behind
    if measured.traded:
        return learning.class_use < PARTIAL
    nothing = learning.gain <= NOTHING_LEARNED and learning.accuracy_gain < LITTLE
    return behind or learning.class_use < PARTIAL or nothing


def is_refuted(name: str, prover: Prover | None) -> bool:
    """Return whether all that was tried for a cause speaks against it."""
    results = () if prover is None else prover.results(name)
    return bool(results) and all(one.verdict == "refuted" for one in results)


def refuted(
    suspected: Sequence[Suspected], prover: Prover, told: set[str]
) -> tuple[RuledOut, ...]:
    """Return what was suspected and refuted by a counterfactual."""
    found = []
    for each in suspected:
        name = each.cause.name
        if name not in told and is_refuted(name, prover):
            result = prover.results(name)[0]
            change = f"{result.change}: {result.before:.1%} -> {result.after:.1%}"
            found.append(RuledOut(name, f"{each.cause.title} ({change})"))
    return tuple(found)


def ruled_out(
    measured: Measurements, causes: Sequence[Cause], told: set[str]
) -> tuple[RuledOut, ...]:
    """Return what the measurements speak against."""
    found = [cause.rule_out(measured) for cause in causes if cause.name not in told]
    titles = {cause.name: cause.title for cause in causes}
    return tuple(
        RuledOut(one.cause, f"{titles[one.cause]} ({one.why})") for one in found if one
    )


def state_of(
    measured: Measurements, findings: Sequence[Finding]
) -> tuple[Literal["ill", "healthy", "unknown"], str]:
    """Return what a verdict says as a whole, and its sentence."""
    if findings:
        return "ill", findings[0].headline
    learning = measured.learning
    best = None if measured.references is None else measured.references.best
    if learning is None:
        return "unknown", "The head could not be measured."
    reached = f"{learning.accuracy:.1%} of {learning.texts:,} validation texts are right"
    beside = f", {name_of(best)} has {best.accuracy:.1%}" if best else ""
    if is_ill(measured):
        return (
            "unknown",
            f"Something is wrong ({symptom_of(measured)[:-1]}), but no cause that is known "
            f"here explains it.{_better(measured)}",
        )
    if measured.traded and best is not None:
        told = f"macro-F1 {learning.macro_f1:.2f}, {name_of(best)} has {best.macro_f1:.2f}"
        accuracies = f"accuracy {learning.accuracy:.1%} and {best.accuracy:.1%}"
        return "healthy", f"Nothing to mend, as classes are weighed: {told} ({accuracies})."
    close = best and best.accuracy - learning.accuracy >= POINTS
    told = f"; {learning.texts:,} texts do not tell the two apart" if close else ""
    return "healthy", f"Nothing to mend: {reached}{beside}{told}."


def _better(measured: Measurements) -> str:
    """Return a sentence on what to take instead: the reference that is ahead; or ''."""
    best = None if measured.references is None else measured.references.best
    if best is None or not measured.behind or best.ahead < POINTS:
        return ""
    return f" Until it is found, take {name_of(best)}."
