"""The step size is too large: weights are thrown about and settle at a constant answer.

Clipping hides it: the loss stays finite. So the judge is the change of the weights in a step,
and the range test, not NaN.
"""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.counterfactual import ChangedSettings
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Measurements
from pipeline.doctor.symptom import symptom_of

LARGE, CERTAIN = -2.0, -1.0
"""log10 of the change of the weights in a step, as a share of them; the second is that of
TheDeepChecker."""

TIMES, NEAR_DIVERGENCE = 4.0, 0.1
"""Of the suggestion of the range test, and of where its loss diverged."""

RISE = 0.10
"""Of the smoothed training loss above its minimum."""

CLIPPED = 0.9


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it by the change of the weights, the range test, a loss that rises, clipping."""
    learning, steps, rates = measured.learning, measured.steps, measured.rates
    assert learning is not None
    assert steps is not None
    rate = measured.settings.number("learning_rate")
    strength = 0.0
    if steps.update_ratio > LARGE:
        strength += 0.4 if steps.update_ratio <= CERTAIN else 0.6
    if rates is not None:
        diverged = rates.diverged_at is not None and rate >= NEAR_DIVERGENCE * rates.diverged_at
        strength += 0.3 if rate > TIMES * rates.suggestion or diverged else -0.3
    strength += 0.2 if steps.loss_rise >= RISE else 0.0
    strength += 0.1 if (steps.clipped_share or 0.0) > CLIPPED else 0.0
    ill = learning.class_use < 0.5 or learning.gain <= 0.02 or measured.behind
    if strength < 0.3 or not ill:
        return None
    suggestion = rates.suggestion if rates is not None else rate / 30
    wanted = f"{suggestion:.2g}"
    changed = (("learning_rate", wanted),)
    return Suspicion(
        strength=min(1.0, strength),
        headline=symptom_of(measured),
        explanation="the step size is too large",
        evidence=_evidence(measured),
        remedy=Remedy(
            f"lower the step size to {wanted}, with a warm-up",
            settings=(*changed, ("warmup", "0.1")),
        ),
        counterfactuals=(ChangedSettings(f"learning_rate {rate:g} -> {wanted}", changed),),
    )


def exclude(measured: Measurements) -> str | None:
    """Say that the weights change by a usual share."""
    steps = measured.steps
    assert steps is not None
    if steps.update_ratio > LARGE - 0.5:
        return None
    return f"one step changes the weights by {100 * 10**steps.update_ratio:.2g} %"


def _evidence(measured: Measurements) -> tuple[Evidence, ...]:
    steps, rates = measured.steps, measured.rates
    assert steps is not None
    found = [
        Evidence(
            "one step changes the weights by",
            f"{100 * 10**steps.update_ratio:.2g} %",
            "about 0.1 % is usual",
        )
    ]
    if rates is not None:
        rate = measured.settings.number("learning_rate")
        found.append(Evidence("step size", f"{rate:g}", f"range test: {rates.suggestion:.2g}"))
    return tuple(found)


STEP_TOO_LARGE = Cause(
    "step_too_large",
    "step size too large",
    "learning",
    examine,
    exclude,
    needs=("learning", "steps"),
)
