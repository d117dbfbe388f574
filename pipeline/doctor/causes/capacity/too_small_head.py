"""The head is too small to tell the classes apart: training is as bad as validation."""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.capacity.over_regularised import strong
from pipeline.doctor.causes.capacity.sizes import larger
from pipeline.doctor.causes.signs import (
    assigned,
    belongs,
    learns_its_texts,
    may_gain,
    reference_evidence,
    training_evidence,
)
from pipeline.doctor.counterfactual import ChangedSettings
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Measurements
from pipeline.doctor.symptom import symptom_of

GAP = 0.05
"""Training less validation accuracy; above it the head has room enough. Ours."""

FEW = 8
"""Units of the smallest layer that are few whatever the number of classes. Ours."""


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where the smallest layer has fewer units than there are classes."""
    learning, units = measured.learning, measured.units
    assert learning is not None
    assert units is not None
    gap, smallest = learning.gap, units.smallest_layer
    if gap is None or smallest is None or gap >= GAP or learns_its_texts(measured):
        return None
    classes = len(measured.labels.names)
    if smallest >= max(classes, FEW) or not may_gain(measured) or not belongs(measured):
        return None
    changed = larger(measured.settings.values)
    if not changed:
        return None
    held_back = bool(strong(measured.settings.values, 0))
    words = assigned(changed)
    return Suspicion(
        strength=0.6 - 0.2 * held_back,
        headline=symptom_of(measured),
        explanation="the head is too small",
        evidence=(
            Evidence("units of the smallest layer", f"{smallest}", f"{classes} classes"),
            *training_evidence(measured),
            *reference_evidence(measured),
        ),
        remedy=Remedy(f"set {words}", settings=changed),
        counterfactuals=(ChangedSettings(words, changed, trainings=2.0),),
    )


def exclude(measured: Measurements) -> str | None:
    """Say that the head learns its own texts."""
    learning = measured.learning
    assert learning is not None
    if not learns_its_texts(measured):
        return None
    return f"training texts: {learning.train_accuracy:.1%}"


TOO_SMALL_HEAD = Cause(
    "too_small_head",
    "too little room in the head",
    "learning",
    examine,
    exclude,
    needs=("learning", "units"),
)
