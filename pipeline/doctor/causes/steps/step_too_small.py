"""The step size is too small: the weights hardly move, and the loss falls like a straight line.

At its worst it looks collapsed; the change of the weights tells it from a step too large.
"""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.departures import is_usual_rate, wanted_rate
from pipeline.doctor.causes.signs import belongs, learns_its_texts, percent, training_evidence
from pipeline.doctor.causes.steps.too_few_steps import still_falls
from pipeline.doctor.counterfactual import ChangedSettings
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Measurements
from pipeline.doctor.symptom import symptom_of

SMALL, CERTAIN = -3.3, -4.0
"""log10 of the change of the weights in a step. The second is that of TheDeepChecker; the first
is ours: the defaults of all heads lie at -1.5 to -3."""

USUAL = -2.6
"""Weights that move further do move, whatever the range test says. Ours."""

UNCHANGED = -8.0
"""Below it the weights do not move at all: that is no matter of step size."""

TIMES = 10.0
"""The suggestion of the range test over the step size. Ours."""

WITHOUT_TEST = 30.0
"""Without a range test the step size is multiplied by this."""


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it by the change of the weights, the range test, and a loss that still falls."""
    steps, rates, learning = measured.steps, measured.rates, measured.learning
    assert steps is not None
    assert learning is not None
    if steps.unchanged or steps.update_ratio < UNCHANGED or not belongs(measured):
        return None
    if steps.update_ratio > USUAL or learns_its_texts(measured, 0.9):
        return None  # it has learned what there is to learn from these texts
    rate = measured.settings.number("learning_rate")
    if is_usual_rate(measured) and steps.update_ratio >= SMALL:
        return None  # a larger step would help as more steps do
    strength = 0.0
    if steps.update_ratio < SMALL:
        strength += 0.4 if steps.update_ratio > CERTAIN else 0.5
    if rates is not None:
        strength += 0.4 if rate * TIMES < rates.suggestion else -0.3
    strength += 0.2 if still_falls(learning) else 0.0
    if strength < 0.3:
        return None
    suggestion = rate * WITHOUT_TEST if rates is None else rates.suggestion
    wanted = f"{max(wanted_rate(measured, suggestion), rate * 2):.2g}"
    changed = (("learning_rate", wanted),)
    found = [
        Evidence(
            "one step changes the weights by",
            percent(steps.update_ratio),
            "0.1 to 3 % is usual",
        )
    ]
    if rates is not None:
        found.append(Evidence("step size", f"{rate:g}", f"range test: {rates.suggestion:.2g}"))
    return Suspicion(
        strength=min(1.0, strength),
        headline=symptom_of(measured),
        explanation=f"the step size is too small, {rate:g}",
        evidence=(*found, *training_evidence(measured)),
        remedy=Remedy(f"raise the step size to {wanted}", settings=changed),
        counterfactuals=(ChangedSettings(f"learning_rate {rate:g} -> {wanted}", changed),),
    )


def exclude(measured: Measurements) -> str | None:
    """Say that the weights do move."""
    steps = measured.steps
    assert steps is not None
    if steps.update_ratio < SMALL:
        return None
    return f"one step changes the weights by {percent(steps.update_ratio)}"


STEP_TOO_SMALL = Cause(
    "step_too_small",
    "step size too small",
    "learning",
    examine,
    exclude,
    needs=("learning", "steps"),
)
