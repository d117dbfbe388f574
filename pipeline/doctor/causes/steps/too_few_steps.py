"""The training ends too early: it still improves when the epochs, or the patience, are over."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.signs import belongs, learns_its_texts, training_evidence
from pipeline.doctor.counterfactual import ChangedSettings
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Learning, Measurements
from pipeline.doctor.symptom import symptom_of

LAST = 0.1
"""The best epoch is among this share of the epochs, at the end. Ours."""

FALLS = 0.01
"""Share by which the training loss falls in an epoch at the end. Ours."""

STEPS_PER_CLASS = 30
"""Fewer steps than this for each class are few. Ours."""

IMPATIENT = 2

TIMES = 3
"""Epochs are multiplied by it."""

SLOW = -4.0
"""log10 of the change of the weights in a step, below which the step size is at fault."""

WINDOW = 4
"""Epochs at the end by which the fall of the loss is judged."""


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where the training loss still falls and training texts are wrong."""
    learning, steps, rates = measured.learning, measured.steps, measured.rates
    assert learning is not None
    assert steps is not None
    if not learning.epochs or learns_its_texts(measured):
        return None
    if not belongs(measured) or steps.update_ratio < SLOW or not still_falls(learning):
        return None
    settings = measured.settings
    epochs, patience = int(settings.number("epochs")), int(settings.number("patience"))
    ended = len(learning.epochs) >= epochs and learning.best_epoch > (1 - LAST) * epochs
    impatient = learning.stopped_early and patience <= IMPATIENT
    if not (ended or impatient):
        return None
    few = steps.count < STEPS_PER_CLASS * len(measured.labels.names)
    strength = 0.4 + 0.2 * few + 0.1 * impatient
    if rates is not None and settings.number("learning_rate") * 6 < rates.suggestion:
        strength -= 0.2  # a larger step is the cheaper cure
    more = TIMES * epochs
    changed = (("epochs", str(more)), ("patience", str(max(5, TIMES * patience))))
    return Suspicion(
        strength=strength,
        headline=f"Your head still improves when it ends. {symptom_of(measured)}",
        explanation="the training ends too early",
        evidence=(
            Evidence(
                "best epoch",
                f"{learning.best_epoch}",
                f"the last one is {len(learning.epochs)}",
            ),
            Evidence("steps", f"{steps.count}", f"{len(measured.labels.names)} classes"),
            *training_evidence(measured),
        ),
        remedy=Remedy(f"train for {more} epochs", settings=changed),
        counterfactuals=(
            ChangedSettings(
                f"epochs {epochs} -> {more}",
                (*changed, ("min_steps", 0)),
                trainings=float(TIMES),
            ),
        ),
    )


def still_falls(learning: Learning) -> bool:
    """Return whether the training loss falls by ``FALLS`` an epoch in the last epochs."""
    return is_falling([epoch.train_loss for epoch in learning.epochs])


def is_falling(losses: Sequence[float]) -> bool:
    """Return whether losses by epoch fall by ``FALLS`` an epoch in the last epochs."""
    last = losses[-WINDOW:]
    if len(last) < 2 or min(last) <= 0:
        return False
    slope = float(np.polyfit(np.arange(len(last)), np.log(last), 1)[0])
    return slope <= -FALLS


TOO_FEW_STEPS = Cause(
    "too_few_steps",
    "too few steps",
    "learning",
    examine,
    needs=("learning", "steps"),
)
