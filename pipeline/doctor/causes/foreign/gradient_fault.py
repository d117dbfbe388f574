"""Weights are cut off from the loss, or 16 texts cannot be learned by heart."""

from __future__ import annotations

from features.messages import listed
from pipeline.doctor.cause import Cause
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Measurements

WRONG = 0.05
"""Share of the texts that may be wrong in the end [TheDeepChecker: 5 %]."""


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where weights that count never move, or learning by heart fails."""
    found = measured.invariances
    assert found is not None
    failed = found.by_heart is not None and found.by_heart > WRONG
    if not failed and not found.unchanged:
        return None
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
    headline = (
        "Your module cannot even learn 16 texts by heart."
        if failed
        else "Some weights of your module never move."
    )
    explanation = (
        "part of the module is cut off from the loss"
        if found.unchanged
        else "the forward pass or its gradient is at fault, not the data or the step size"
    )
    return Suspicion(
        strength=1.0 if found.unchanged else 0.9,
        headline=headline,
        explanation=explanation,
        evidence=tuple(evidence),
        remedy=Remedy(
            "look for detach, .data, no_grad, argmax or rounding between these weights and the "
            "output"
            if found.unchanged
            else "look for a ReLU or a constant in front of the output, and for weights that "
            "start at 0"
        ),
        measured=True,
    )


def exclude(measured: Measurements) -> str | None:
    """Say how soon 16 texts were learned by heart."""
    found = measured.invariances
    assert found is not None
    if found.by_heart is None or found.by_heart > WRONG or found.unchanged:
        return None
    return f"16 texts are learned by heart in {found.by_heart_steps} steps"


GRADIENT_FAULT = Cause(
    "gradient_fault", "fault in the gradient", "function", examine, exclude, ("invariances",)
)
