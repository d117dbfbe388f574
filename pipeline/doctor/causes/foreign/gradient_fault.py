"""Weights are cut off from the loss or frozen, or 16 texts cannot be learned by heart."""

from __future__ import annotations

from features.messages import listed
from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.foreign.signs import fails_by_heart, is_narrow
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.foreign.counterfactual import ChangedLoop
from pipeline.doctor.measurements import Invariances, Measurements
from pipeline.doctor.symptom import symptom_of

FROZEN = "weights that count are frozen, so no step moves them"
UNFREEZE = "let them learn: module.requires_grad_(True) before the optimizer is made"


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where weights that count never move, or learning by heart fails."""
    found = measured.invariances
    assert found is not None
    failed = fails_by_heart(found) and not is_narrow(measured)  # that is a cause of its own
    if not failed and not found.unchanged:
        return _frozen(measured, found)
    evidence = []
    if failed:
        evidence.append(
            Evidence(
                f"of 16 texts, wrong after {found.by_heart_steps} steps on them alone",
                f"{found.by_heart:.0%}",
                "at most 5 % is usual",
            )
        )
    if found.unchanged:
        evidence.append(
            Evidence(
                "weights that count and that no step moves",
                listed(found.unchanged, 3),
                "every weight should move",
            )
        )
    elif found.frozen:
        evidence.append(_of_frozen(found))
    headline = (
        "Your module cannot even learn 16 texts by heart."
        if failed
        else "Some weights of your module never move."
    )
    explanation, remedy = _words(found)
    return Suspicion(
        strength=1.0 if found.unchanged else 0.9,
        headline=headline,
        explanation=explanation,
        evidence=tuple(evidence),
        remedy=Remedy(remedy),
        measured=True,
    )


def _words(found: Invariances) -> tuple[str, str]:
    """Return explanation and remedy where weights do not move, or nothing is learned."""
    if found.unchanged:
        return (
            "part of the module is cut off from the loss",
            "look for detach, .data, no_grad, argmax or rounding between these weights and the "
            "output",
        )
    if found.frozen:
        return FROZEN, UNFREEZE
    return (
        "the forward pass or its gradient is at fault, not the data or the step size",
        "look for a ReLU or a constant in front of the output, for weights that start at 0, "
        "and for many layers of sigmoid or tanh",
    )


def _frozen(measured: Measurements, found: Invariances) -> Suspicion | None:
    """Return the suspicion of weights that should learn and do not; None without frozen ones.

    They may be meant so, so it is told only where it is proven, and not of a module that came
    trained. A loop of the user's own is judged by itself, under the same name.
    """
    came_trained = measured.settings.values.get("epochs") == 0
    if not found.frozen or found.loop_score is not None or came_trained:
        return None
    return Suspicion(
        strength=0.5,
        headline=symptom_of(measured),
        explanation=FROZEN,
        evidence=(_of_frozen(found),),
        remedy=Remedy(UNFREEZE),
        counterfactuals=(ChangedLoop("all weights learn", (("unfrozen", True),), mends=True),),
    )


def _of_frozen(found: Invariances) -> Evidence:
    return Evidence(
        "weights with requires_grad=False",
        listed(found.frozen, 3),
        "right only where they were learned before",
    )


def exclude(measured: Measurements) -> str | None:
    """Say how soon 16 texts were learned by heart."""
    found = measured.invariances
    assert found is not None
    if found.by_heart is None or fails_by_heart(found) or found.unchanged or found.frozen:
        return None
    return f"16 texts are learned by heart in {found.by_heart_steps} steps"


GRADIENT_FAULT = Cause(
    "gradient_fault", "fault in the gradient", "function", examine, exclude, ("invariances",)
)
