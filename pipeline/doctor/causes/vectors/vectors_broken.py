"""The vectors themselves are broken: constant, badly scaled, all alike, or of other texts."""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.signs import AT_CHANCE, is_low, knows_nothing
from pipeline.doctor.changes.vectors import with_standardized
from pipeline.doctor.counterfactual import Rescoring
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Measurements, Vectors
from pipeline.doctor.symptom import symptom_of

CONSTANT = 0.2
"""Share of the features without deviation. Ours."""

SCALE = 1000.0
"""Largest over median deviation. Ours."""

ALIKE = 0.95
"""Mean cosine of random pairs. Ours; raw states of some encoders reach 0.9."""

RANK = 2.0
"""Effective rank, in classes. Ours."""

EQUAL = 0.01
"""Share of the texts with the vector of another text. Ours."""

MANY_EQUAL, UNLIKE = 0.1, 0.5
"""Share of the texts with the vector of another one that is a fault by itself, if so many of
them share it with a text of another label. Ours."""

SCALE_MATTERS = ("knn", "logistic")
"""Heads that take vectors as they are; the others standardise them."""


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it by what the vectors are like, where the head or neighbours suffer from it."""
    vectors, settings = measured.vectors, measured.settings
    assert vectors is not None
    found = faults(vectors, len(measured.labels.names))
    if not found:
        return None
    equal = vectors.equal_share > EQUAL
    certain = stand_in(measured, vectors) or (
        equal and vectors.equal_share > 0.5 and (is_low(measured) or knows_nothing(measured))
    )
    if not certain and not (_suffers(measured) or settings.head in SCALE_MATTERS):
        return None
    tries: tuple[Rescoring, ...] = ()
    if not certain:
        tries = (Rescoring("every feature scaled alike", with_standardized, 1.0, trains=True),)
    return Suspicion(
        strength=0.8 if certain else 0.3 + 0.2 * len(found) + 0.2 * _suffers(measured),
        headline=symptom_of(measured),
        explanation="the vectors are broken: " + found[0].what,
        evidence=tuple(found[:3]),
        remedy=Remedy(
            "encode the texts again, or scale every feature to deviation 1"
            if not certain
            else "encode the texts again: unequal texts have equal vectors",
            stops=True,
        ),
        counterfactuals=tries,
        measured=certain,
        excludes=("step_too_large", "label_noise", "labels_unrelated") if certain else (),
    )


def stand_in(measured: Measurements, vectors: Vectors) -> bool:
    """Return whether a few vectors stand for texts of several labels, so that no head helps.

    Of copies of one text the labels agree, unless no label belongs to its text.
    """
    near = measured.neighbours
    if near is not None and near.strongest < AT_CHANCE:
        return False
    share, unlike = vectors.equal_share, vectors.equal_unlike
    return share >= MANY_EQUAL and unlike >= UNLIKE * share


def faults(vectors: Vectors, classes: int) -> list[Evidence]:
    """Return what is unusual about vectors."""
    found = []
    if vectors.equal_share > EQUAL:
        found.append(
            Evidence(
                "unequal texts have equal vectors", f"{vectors.equal_share:.0%}", "0 is usual"
            )
        )
    if vectors.constant_share > CONSTANT:
        found.append(
            Evidence("features are constant", f"{vectors.constant_share:.0%}", "below 5 %")
        )
    if vectors.deviation_ratio > SCALE:
        found.append(
            Evidence(
                "one feature swamps the others",
                f"{vectors.deviation_ratio:,.0f} times the median",
                "below 20 is usual",
            )
        )
    if vectors.mean_cosine > ALIKE:
        found.append(
            Evidence(
                "all vectors point one way", f"cosine {vectors.mean_cosine:.2f}", "below 0.9"
            )
        )
    if vectors.effective_rank < min(RANK * classes, vectors.width / 4):
        found.append(
            Evidence(
                "few directions are used", f"{vectors.effective_rank:.1f}", f"{classes} classes"
            )
        )
    return found


def _suffers(measured: Measurements) -> bool:
    """Return whether the head is low, or nearest neighbours are far below logistic."""
    references = measured.references
    if is_low(measured):
        return True
    if references is None:
        return False
    near, plain = references.named("knn"), references.named("logistic")
    return near is not None and plain is not None and plain.accuracy - near.accuracy > 0.2


VECTORS_BROKEN = Cause(
    "vectors_broken",
    "broken vectors",
    "belonging",
    examine,
    needs=("learning", "vectors"),
)
