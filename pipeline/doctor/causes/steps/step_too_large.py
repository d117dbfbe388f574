"""The step size is too large: weights are thrown about and settle at a constant answer.

Clipping hides it: the loss stays finite. So the judge is the change of the weights in a step,
and the range test, not NaN. Units that die meanwhile are a consequence: dead_or_saturated looks
at the weights before the first step.
"""

from __future__ import annotations

from itertools import pairwise

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.departures import wanted_rate
from pipeline.doctor.causes.signs import belongs, is_low, percent
from pipeline.doctor.counterfactual import ChangedSettings
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Learning, Measurements, Steps
from pipeline.doctor.symptom import symptom_of

LARGE, CERTAIN = -1.3, -1.0
"""log10 of the change of the weights in a step, as a share of them. The second is that of
TheDeepChecker; the first is ours: the defaults of all heads lie at -1.5 to -3."""

TIMES, NEAR_DIVERGENCE = 4.0, 0.1
"""Of the suggestion of the range test, and of where its loss diverged. Ours."""

RISE = 0.10
"""Of the smoothed training loss above its minimum. Ours."""

FAR_CLIPPED = 0.9
"""Share of the steps whose gradient is more than 10 times ``clip``. Ours."""

SWING, SWINGS = 0.03, 0.2
"""Points by which accuracy falls from an epoch to the next, and in which share of them
[AutoTrainer]; it must also be beyond three deviations of chance."""

ALONE = 0.8
"""Strength from which it is tried though the head is not low: change and range test agree."""

WITHOUT_TEST = 30.0
"""Without a range test the step size is divided by this."""


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it by the change of the weights, the range test, a loss that rises, swings."""
    learning, steps, rates = measured.learning, measured.steps, measured.rates
    assert learning is not None
    assert steps is not None
    if not belongs(measured):
        return None
    rate = measured.settings.number("learning_rate")
    ratio = ratio_of(steps)
    strength = 0.6 if ratio > CERTAIN else 0.4 if ratio > LARGE else 0.0
    if rates is not None:
        diverged = rates.diverged_at is not None and rate >= NEAR_DIVERGENCE * rates.diverged_at
        strength += 0.4 if rate > TIMES * rates.suggestion or diverged else -0.4
    strength += 0.2 if steps.loss_rise >= RISE else 0.0
    strength += 0.1 if (steps.far_clipped_share or 0.0) > FAR_CLIPPED else 0.0
    strength += 0.1 if swings(learning) else 0.0
    if strength < (0.3 if is_low(measured) else ALONE):
        return None
    suggestion = rate / WITHOUT_TEST if rates is None else rates.suggestion
    wanted = f"{min(wanted_rate(measured, suggestion), rate / 2):.2g}"
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
    if ratio_of(steps) > LARGE:
        return None
    return f"one step changes the weights by {percent(ratio_of(steps))}"


def ratio_of(steps: Steps) -> float:
    """Return the change of the weights in a step, at the beginning if it is larger there.

    Weights that are thrown about grow, and then a step is a smaller share of them.
    """
    early = steps.update_ratio if steps.early_ratio is None else steps.early_ratio
    return max(steps.update_ratio, early)


def swings(learning: Learning) -> bool:
    """Return whether accuracy falls from epoch to epoch more often than by chance."""
    shares = [epoch.validation_accuracy for epoch in learning.epochs]
    if len(shares) < 5:
        return False
    falls = 0
    for before, after in pairwise(shares):
        p = (before + after) / 2
        chance = 3 * (2 * p * (1 - p) / max(1, learning.texts)) ** 0.5
        falls += before - after >= max(SWING, chance)
    return falls >= SWINGS * (len(shares) - 1)


def _evidence(measured: Measurements) -> tuple[Evidence, ...]:
    steps, rates = measured.steps, measured.rates
    assert steps is not None
    found = [
        Evidence(
            "a step at the beginning changes the weights by"
            if ratio_of(steps) > steps.update_ratio
            else "one step changes the weights by",
            percent(ratio_of(steps)),
            "0.1 to 3 % is usual",
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
