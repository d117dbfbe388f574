"""A few classes have most texts, and the rare ones are hardly ever predicted.

Accuracy is high all the same, so macro-F1 is the judge. The answers do depend on the text;
where they do not, another cause is at work, unless the vectors tell the classes apart: then
it is told unless weights refute it.
"""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.signs import AT_CHANCE, HIDES, IN_DOUBT, knows_nothing
from pipeline.doctor.counterfactual import ChangedSettings
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Learning, Measurements

RATIO, FEW = 3.0, 10.0
"""Largest over smallest class. The second is that of SageMaker and deepchecks; at 80 to 20 rare
texts are lost already, so examination begins at the first. Ours."""

GAIN = 0.1
"""Accuracy gain over the majority, below which little is learned [deepchecks]."""

LOST = 0.3
"""Recall of a rare class below which it is lost. Ours."""

F1_GAP = 0.15
"""Accuracy less macro-F1. Ours."""

LEAST_TEXTS, NEVER = 5, 2
"""Validation texts of a class without which its recall says nothing; of a class that is never
predicted at all, and is rarer than one to ``FEW``, fewer will do. Ours."""


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where rare classes are lost though the answers depend on the text."""
    learning, labels, values = measured.learning, measured.labels, measured.settings.values
    assert learning is not None
    if labels.imbalance < RATIO:
        return None
    collapsed = knows_nothing(measured)
    if collapsed and not may_hide(measured):
        return None
    if values.get("class_weights", "balanced") != "none":
        return None  # weighted already, or a head without weights
    lost = rare_and_lost(measured)
    if not lost:
        return None
    unseen = learning.accuracy_gain < GAIN or learning.accuracy - learning.macro_f1 > F1_GAP
    if not unseen:
        return None
    place = min(lost, key=lambda each: learning.recalls[each] or 0.0)
    recall = learning.recalls[place] or 0.0
    changed = (("class_weights", "balanced"),)
    return Suspicion(
        strength=_of_collapsed(measured)
        if collapsed
        else 0.5 + 0.2 * (labels.imbalance >= FEW) + 0.1 * (learning.accuracy_gain < GAIN),
        headline=(
            f"Your head is right on {learning.accuracy:.1%} of the validation texts, and "
            f"always answering the most frequent label on {learning.majority:.1%}; of "
            f"{labels.names[place]} it finds {recall:.0%}."
        ),
        explanation="rare classes are lost to frequent ones",
        evidence=(
            Evidence(f"recall of {labels.names[place]}", f"{recall:.0%}", "the rare class"),
            Evidence(
                "largest over smallest class", f"{labels.imbalance:.0f}", "below 3 is even"
            ),
            Evidence(
                "macro-F1", f"{learning.macro_f1:.2f}", f"accuracy {learning.accuracy:.2f}"
            ),
        ),
        remedy=Remedy(
            "weigh the classes, and judge by macro-F1, not by accuracy", settings=changed
        ),
        counterfactuals=(
            ChangedSettings("class_weights none -> balanced", changed, measure="macro_f1"),
        ),
        # That the rare class is lost is counted; weights may still refute that it need be.
        measured=not collapsed and learning.accuracy_gain < GAIN and not measured.behind,
    )


def may_hide(measured: Measurements) -> bool:
    """Return whether a class is so frequent that a head may answer it alone, though the vectors
    tell the classes apart.
    """
    near = measured.neighbours
    strong = near is not None and near.strongest >= IN_DOUBT
    return strong and measured.labels.imbalance >= HIDES


def _of_collapsed(measured: Measurements) -> float:
    """Return the strength where the answers do not depend on the text: a clear signal is told
    as likely if weights leave it open, a weak one has to be proven.
    """
    near = measured.neighbours
    return 0.65 if near is not None and near.strongest >= AT_CHANCE else 0.5


def exclude(measured: Measurements) -> str | None:
    """Say how even the classes are."""
    counts, total = measured.labels.train_counts, max(1, measured.labels.train_texts)
    if measured.labels.imbalance >= RATIO:
        return None
    return f"classes have {min(counts) / total:.0%} to {max(counts) / total:.0%} of the texts"


def rare_and_lost(measured: Measurements) -> list[int]:
    """Return the classes of few texts whose recall is low."""
    labels, learning = measured.labels, measured.learning
    assert learning is not None
    most = max(labels.train_counts)

    def enough(place: int) -> bool:
        """Return whether the validation texts of a class say whether it is lost."""
        never = learning.predicted_shares[place] == 0
        rare = labels.train_counts[place] * FEW <= most
        return labels.validation_counts[place] >= (NEVER if never and rare else LEAST_TEXTS)

    return [
        place
        for place, (count, recall) in enumerate(
            zip(labels.train_counts, recalls(learning), strict=True)
        )
        if count * RATIO <= most and recall < LOST and enough(place)
    ]


def recalls(learning: Learning) -> list[float]:
    """Return the recall of every class; 1 of one without validation texts."""
    return [1.0 if recall is None else recall for recall in learning.recalls]


IMBALANCE = Cause("imbalance", "uneven classes", "learning", examine, exclude)
