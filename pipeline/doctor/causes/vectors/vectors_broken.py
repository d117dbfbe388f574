"""The vectors themselves are broken: constant, badly scaled, all alike, or of other texts."""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.sides.giveaway import SHARE as GIVEN_AWAY
from pipeline.doctor.causes.signs import AT_CHANCE, is_low, knows_nothing
from pipeline.doctor.changes.vectors import with_standardized
from pipeline.doctor.counterfactual import Rescoring
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Measurements, Vectors
from pipeline.doctor.symptom import symptom_of
from pipeline.evaluation.baselines import TFIDF

CONSTANT = 0.2
"""Share of the features without deviation. Ours."""

SCALE = 1000.0
"""Largest over median deviation. Ours."""

ALIKE = 0.95
"""Mean cosine of random pairs. Ours; raw states of some encoders reach 0.9."""

RANK = 2.0
"""Effective rank, in classes. Ours."""

PER_DIRECTION = 4
"""Training texts per direction that a rank is held against: few texts span few. Ours."""

AHEAD = 0.1
"""By which word counts are ahead of vectors that say nothing of the labels. Ours."""

NARROW, WIDE, MANY = 1 / 20, 100, 200
"""Rank of scaled features below which vectors hold next to nothing, as a share of their width;
width and training texts from which that is said. A sixth of the width is usual. Ours."""

POOR = 0.5
"""Accuracy gain below which few directions are to blame: an encoder that was trained for these
very labels has few, and good ones. Ours."""

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
    if (other := _of_other_texts(measured)) is not None:
        return other
    found = faults(vectors, len(measured.labels.names), measured.labels.train_texts)
    if not found:
        return None
    equal = vectors.equal_share > EQUAL
    certain = (
        stand_in(measured, vectors)
        or (is_narrow(vectors, measured.labels.train_texts) and _is_poor(measured))
        or (
            equal
            and vectors.equal_share > 0.5
            and (is_low(measured) or knows_nothing(measured))
        )
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
            else "encode the texts again",
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


def is_narrow(vectors: Vectors, texts: int) -> bool:
    """Return whether wide vectors of many training texts hold few directions."""
    rank = vectors.scaled_rank
    if rank is None or vectors.width < WIDE or texts < MANY:
        return False
    return rank < NARROW * vectors.width


def _of_other_texts(measured: Measurements) -> Suspicion | None:
    """Return the suspicion that vectors say nothing of labels which the words do know.

    An encoder that does not understand a text still tells many of them apart.
    """
    near, references = measured.neighbours, measured.references
    words = None if references is None else references.named(TFIDF)
    if near is None or near.strongest >= AT_CHANCE or words is None:
        return None
    audit = measured.audit
    if audit is not None and audit.giveaway_share >= GIVEN_AWAY:
        return None
    if words.interval[0] <= 0 or words.ahead < AHEAD:
        return None
    return Suspicion(
        strength=0.9,
        headline=symptom_of(measured),
        explanation="the vectors are broken: they are of other texts",
        evidence=(
            Evidence("word counts", f"{words.accuracy:.1%}", "so labels belong to the texts"),
            Evidence(
                "neighbours of one label, z", f"{near.strongest:.1f}", "below 3 is chance"
            ),
        ),
        remedy=Remedy("encode the texts again, in the order of the file", stops=True),
        counterfactuals=(),
        measured=True,
        excludes=("step_too_large", "label_noise", "labels_unrelated", "vectors_lack_it"),
    )


def faults(vectors: Vectors, classes: int, texts: int) -> list[Evidence]:
    """Return what is unusual about the vectors of so many training texts."""
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
    least = min(RANK * classes, vectors.width / 4, texts / PER_DIRECTION)
    if vectors.effective_rank < least or is_narrow(vectors, texts):
        found.append(
            Evidence(
                "few directions are used",
                f"{vectors.effective_rank:.1f} of {vectors.width}",
                f"{classes} classes; a sixth of the features is usual",
            )
        )
    return found


def _is_poor(measured: Measurements) -> bool:
    learning = measured.learning
    return learning is not None and learning.accuracy_gain < POOR


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
