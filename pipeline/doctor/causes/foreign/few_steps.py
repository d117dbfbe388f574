"""The plain loop ends before a module of the user's own has learned."""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.foreign.signs import count_steps, learns_little
from pipeline.doctor.causes.signs import training_evidence
from pipeline.doctor.causes.steps.too_few_steps import LAST, STEPS_PER_CLASS, TIMES, is_falling
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.foreign.counterfactual import ChangedLoop
from pipeline.doctor.measurements import Measurements
from pipeline.doctor.symptom import symptom_of

USUAL = 20
"""Epochs of the plain loop, tried at the least."""


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where the last epochs are the best and training texts are not learned yet."""
    learning, found = measured.learning, measured.invariances
    assert learning is not None
    assert found is not None
    epochs = int(measured.settings.number("epochs"))
    if learning.best_epoch <= (1 - LAST) * epochs or not learns_little(measured):
        return None
    losses = found.train_losses
    if len(losses) > 1 and not is_falling(losses):  # one epoch alone cannot tell
        return None
    steps, classes = count_steps(measured), len(measured.labels.names)
    more = max(TIMES * epochs, USUAL)
    return Suspicion(
        strength=0.7 if steps < STEPS_PER_CLASS * classes else 0.5,
        headline=symptom_of(measured),
        explanation="the training ends too early",
        evidence=(
            Evidence("best epoch", f"{learning.best_epoch}", f"the last one is {epochs}"),
            Evidence("steps", f"{steps:,}", f"{classes} classes"),
            *training_evidence(measured),
        ),
        remedy=Remedy(f"train for {more} epochs"),
        counterfactuals=(
            ChangedLoop(
                f"epochs {epochs} -> {more}",
                (("epochs", more),),
                trainings=more / epochs,
                mends=True,
            ),
        ),
    )


MODULE_TOO_FEW_STEPS = Cause(
    "too_few_steps", "too few steps", "learning", examine, needs=("invariances", "learning")
)
