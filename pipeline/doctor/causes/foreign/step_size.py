"""The step size of the plain loop does not suit a module of the user's own."""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.signs import knows_nothing
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.foreign.counterfactual import ChangedLoop
from pipeline.doctor.measurements import Measurements
from pipeline.doctor.symptom import PARTIAL, symptom_of

FACTOR = 10.0


def too_small(measured: Measurements) -> Suspicion | None:
    """Suspect it where the training texts are not learned and a reference is better."""
    learning = measured.learning
    assert learning is not None
    low = learning.train_accuracy is not None and (
        learning.train_accuracy - learning.accuracy < 0.1
    )
    return _suspicion(measured, FACTOR, "small") if low and measured.behind else None


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
        evidence=(Evidence("step size of Adam", f"{rate:g}", "0.001 is usual"),),
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
