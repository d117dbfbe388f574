"""The head learns its training texts by heart, where a smaller one would do better.

The gap alone is no fault: heads over frozen vectors nearly always have one. A validation loss
that rises after the best epoch harms nobody, since that epoch is kept.
"""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.capacity.sizes import smaller
from pipeline.doctor.causes.signs import (
    AHEAD,
    BY_HEART,
    assigned,
    is_behind,
    last_holds_less,
    learns_its_texts,
    reference_evidence,
    training_evidence,
)
from pipeline.doctor.counterfactual import ChangedSettings
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Measurements
from pipeline.doctor.symptom import symptom_of

GAP = 0.10
"""Training less validation accuracy [AutoTrainer 10 points, deepchecks and SageMaker 10 %]."""

EARLY = 0.5
"""Share of the epochs before which the validation loss is lowest."""


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where the gap is large and a simpler classifier is better beyond noise."""
    learning = measured.learning
    assert learning is not None
    gap = learning.gap
    if gap is None or gap < GAP or not is_behind(measured, AHEAD):
        return None
    if not learns_its_texts(measured, BY_HEART):
        return None
    losses = [epoch.validation_loss for epoch in learning.epochs]
    known = [loss for loss in losses if loss is not None]
    early = bool(known) and losses.index(min(known)) < EARLY * len(losses)
    changed = smaller(measured.settings.values)
    tries = []
    plain = None if measured.references is None else measured.references.named("logistic")
    last_state = last_holds_less(measured)
    if plain is not None and plain.ahead > measured.defaults_ahead and not last_state:
        # Else the same head does as well with other settings, so its kind is not at fault; and
        # of a last state logistic proves nothing: it reads the mean.
        tries.append(ChangedSettings("head -> logistic", head="logistic", layout="pooled"))
    if not changed and not tries:
        return None
    if changed:
        tries.insert(0, ChangedSettings(f"a smaller head: {assigned(changed)}", changed))
    return Suspicion(
        strength=0.4 if last_state else 0.4 + 0.1 * early + 0.1 * (gap > 2 * GAP),
        headline=symptom_of(measured),
        explanation="the head is too large for so few texts and learns them by heart",
        evidence=(
            *training_evidence(measured),
            *reference_evidence(measured),
            Evidence(
                "learned numbers",
                f"{measured.settings.parameters:,}",
                f"{measured.labels.train_texts:,} training texts",
            ),
        ),
        remedy=Remedy("take a smaller head", settings=changed)
        if changed
        else Remedy("train logistic", head="logistic"),
        counterfactuals=tuple(tries),
    )


def exclude(measured: Measurements) -> str | None:
    """Say that training texts are no better than validation, or that nothing simpler is."""
    learning = measured.learning
    assert learning is not None
    if learning.gap is not None and learning.gap < GAP:
        return f"training texts: {learning.train_accuracy:.1%}"
    return None


OVERFIT = Cause("overfit", "overfitting", "learning", examine, exclude)
