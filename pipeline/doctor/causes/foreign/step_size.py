"""The step size of the plain loop does not suit a module of the user's own."""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.foreign.signs import count_steps, learns_little
from pipeline.doctor.causes.signs import knows_nothing
from pipeline.doctor.causes.steps.too_few_steps import STEPS_PER_CLASS
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.foreign.counterfactual import ChangedLoop
from pipeline.doctor.measurements import Measurements
from pipeline.doctor.symptom import PARTIAL, symptom_of

FACTOR = 10.0

USUAL = 1e-3
"""Step size of Adam in the plain loop."""


def too_small(measured: Measurements) -> Suspicion | None:
    """Suspect it where the training texts are not learned and a reference is better."""
    rate, classes = measured.settings.number("learning_rate"), len(measured.labels.names)
    if rate >= USUAL and count_steps(measured) < STEPS_PER_CLASS * classes:
        return None  # a larger step would help as more steps do
    return _suspicion(measured, FACTOR, "small") if learns_little(measured) else None


def too_large(measured: Measurements) -> Suspicion | None:
    """Suspect it where few classes are used, or the answers do not depend on the text."""
    learning = measured.learning
    assert learning is not None
    collapsed = learning.class_use < PARTIAL or knows_nothing(measured)
    return _suspicion(measured, 1 / FACTOR, "large") if collapsed else None


def _suspicion(measured: Measurements, factor: float, size: str) -> Suspicion:
    rate = measured.settings.number("learning_rate")
    return Suspicion(
        strength=0.5,
        headline=symptom_of(measured),
        explanation=f"the step size is too {size} for this module",
        evidence=(
            Evidence(
                "step size of Adam", f"{rate:g}", f"{USUAL:g} is usual, but modules differ"
            ),
        ),
        remedy=Remedy(f"train with a step size of {rate * factor:g}"),
        counterfactuals=(
            ChangedLoop(
                f"learning_rate {rate:g} -> {rate * factor:g}",
                (("learning_rate", rate * factor),),
                mends=True,
            ),
        ),
    )


NEEDS = ("invariances", "learning")

MODULE_STEP_TOO_SMALL = Cause(
    "step_too_small", "step size too small", "learning", too_small, needs=NEEDS
)
MODULE_STEP_TOO_LARGE = Cause(
    "step_too_large", "step size too large", "learning", too_large, needs=NEEDS
)
