"""The user's own training loop is at fault, not the module: the plain loop does better."""

from __future__ import annotations

from features.messages import listed
from pipeline.doctor.cause import Cause
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.foreign.counterfactual import by_plain_loop
from pipeline.doctor.measurements import Measurements

BEHIND = 0.05
"""Accuracy that the plain loop is ahead by."""


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where the plain loop teaches the same module far more."""
    found = measured.invariances
    assert found is not None
    plain, own = found.measured_score, found.loop_score
    if own is None or plain is None or plain - own < BEHIND:
        return None
    evidence = [
        Evidence("accuracy by your loop", f"{own:.1%}", f"by the plain loop {plain:.1%}")
    ]
    if found.loop_reference is not None:
        evidence.append(
            Evidence(
                "accuracy of a plain dense layer by your loop",
                f"{found.loop_reference:.1%}",
                "as bad: the loop; good: the two do not fit",
            )
        )
    why, remedy = _reason(measured)
    return Suspicion(
        strength=1.0,
        headline=f"Your loop brings your module to {own:.1%}; the plain loop to {plain:.1%}.",
        explanation=why,
        evidence=tuple(evidence),
        remedy=Remedy(remedy),
        counterfactuals=(by_plain_loop(),),
    )


def _reason(measured: Measurements) -> tuple[str, str]:
    """Return what is wrong with the loop, and what to do."""
    found = measured.invariances
    assert found is not None
    if not found.loop_moves:
        return (
            "your loop moves no weight",
            "call optimizer.step() after loss.backward(), and give the optimizer "
            "module.parameters() of this module",
        )
    if found.gradients_double:
        return (
            "your loop never clears the gradients, so those of all steps add up",
            "call optimizer.zero_grad() before every loss.backward()",
        )
    if found.loop_unmoved:
        return (
            f"your loop never moves {listed(found.loop_unmoved, 3)}",
            "give the optimizer all of module.parameters()",
        )
    if not found.loop_finite:
        return (
            "your loop ends in NaN or infinity",
            "lower the step size, and look for a logarithm or a division by 0 in your loss",
        )
    return (
        "the training loop is at fault, not the module",
        "compare with the plain loop: shuffled batches, Adam at 0.001, cross-entropy of the "
        "output, labels of the same rows",
    )


def exclude(measured: Measurements) -> str | None:
    """Say that the loop does as well as the plain one."""
    found = measured.invariances
    assert found is not None
    if found.loop_score is None or found.measured_score is None:
        return None
    near = found.measured_score - found.loop_score < BEHIND
    return f"your loop reaches {found.loop_score:.1%}" if near else None


LOOP_FAULT = Cause(  # the other half of gradient_fault, so of the same name
    "gradient_fault",
    "fault in the gradient",
    "function",
    examine,
    exclude,
    ("invariances",),
)
