"""Labels do not belong to their texts: they are shuffled, or have slipped by some rows.

No setting can help then, though the training texts may be learned by heart.
"""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.signs import (
    AT_CHANCE,
    HIDES,
    best_reference,
    knows_nothing,
    pooled_hides_it,
)
from pipeline.doctor.changes.labels import moved_back, with_moved_back
from pipeline.doctor.counterfactual import Rescoring
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Learning, Measurements, Neighbours
from pipeline.evaluation.baselines import TFIDF

BREAK = 4.0
"""z of label agreement of the sound part, so that there is something to break. Ours."""

WEAK = 2.5
"""Strongest z of label agreement from which a weak signal may be there, so that nothing is said
for certain: that of shuffled labels is above 2 in 5 of 100 files, above 2.5 in 1. Ours."""

SHARE = 0.5
"""Of the agreement above chance that is lost behind the break. Ours."""

TEXTS = 100
"""With fewer training texts chance cannot be told from little. Ours."""

PER_CLASS, PER_CLASS_OF_MANY, MANY = 30, 10, 300
"""Training texts of the smallest class, with fewer of which neighbours cannot agree: the first,
or the second if there are so many texts in all. Ours."""

F1 = 0.15
"""Macro-F1 above that of a constant answer, which is more than guessing brings. Ours."""

CHOSEN = 1.5
"""Half-widths of the interval by which an accuracy is above chance: the best epoch, or C, was
chosen on the same texts. Ours."""

AGAIN = "join texts and labels by id again: no setting of the head can help"

AGAIN_OR_ENCODE = (
    "encode 50 of the texts again: where that gives other vectors, these are of other texts; "
    "where not, join texts and labels by id again"
)
"""Of vectors without texts: labels may be at fault, or the vectors."""


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where neighbours agree by chance alone, in all or behind a row."""
    learning, near = measured.learning, measured.neighbours
    assert learning is not None
    assert near is not None
    if measured.labels.train_texts < TEXTS:
        return None
    sound = near.z_after if near.rises else near.z_before
    if near.break_row is not None and sound is not None:
        return _slipped(near) if sound >= BREAK else None
    if near.offset is not None:
        return _slipped(near)
    if near.strongest >= AT_CHANCE or not knows_nothing(measured):
        return None
    if pooled_hides_it(measured):
        return None
    least = PER_CLASS_OF_MANY if measured.labels.train_texts >= MANY else PER_CLASS
    if min(measured.labels.train_counts) < least:
        return None
    if above_constant(measured, learning, CHOSEN):
        return None
    return Suspicion(
        strength=0.9 if near.strongest < WEAK else 0.5,
        headline=(
            f"Your head is right on {learning.accuracy:.1%} of the validation texts, and so is "
            "everything else that was tried."
        ),
        explanation="the labels have nothing to do with these texts"
        if asked_words(measured)
        else "labels and vectors are not of the same texts",
        evidence=(
            Evidence(
                "nearest texts with the same label",
                f"{near.agreement:.1%}",
                f"shuffled labels: {near.expected:.1%}",
            ),
            Evidence(
                "accuracy",
                f"{learning.accuracy:.1%}",
                f"always the most frequent label: {learning.majority:.1%}",
            ),
        ),
        remedy=Remedy(AGAIN if asked_words(measured) else AGAIN_OR_ENCODE, stops=True),
        measured=is_certain(measured, learning, near),
        excludes=(
            "step_too_large",
            "step_too_small",
            "too_few_steps",
            "overfit",
            "label_noise",
            "vectors_lack_it",
        ),
    )


def asked_words(measured: Measurements) -> bool:
    """Return whether the words of the texts were asked: then the vectors are not at fault."""
    return measured.references is not None and measured.references.named(TFIDF) is not None


def is_certain(measured: Measurements, learning: Learning, near: Neighbours) -> bool:
    """Return whether nothing at all tells the labels apart, and all that could was asked.

    Merely hard data look alike by neighbours alone. So the means of the classes must lie no
    further apart than those of shuffled labels, and ``logistic`` or word counts must be within
    noise of the most frequent label. Where one class has most texts they are so anyway.
    """
    if near.balanced_z is None or near.means_z is None or near.strongest >= WEAK:
        return False
    if measured.labels.imbalance >= HIDES:
        return False
    asked = measured.settings.head == "logistic" or best_reference(measured) is not None
    return asked and not above_constant(measured, learning, 1.0)


def above_constant(measured: Measurements, learning: Learning, widths: float) -> bool:
    """Return whether the head or any reference is better than one answer for everything.

    By accuracy beyond noise, and by macro-F1, which says it where classes are uneven.

    Args:
        widths: half-widths of the interval of an accuracy that count as noise.
    """
    chance = learning.majority + widths * learning.noise
    if learning.accuracy > chance:
        return True
    classes = len(measured.labels.names)
    constant = max(2 * learning.majority / (1 + learning.majority), 1.0) / classes
    references = () if measured.references is None else measured.references.references
    return any(each.accuracy > chance or each.macro_f1 > constant + F1 for each in references)


def _slipped(near: Neighbours) -> Suspicion | None:
    """Return the suspicion of labels that have slipped: from a row on, up to it, or all."""
    sound = near.agreement if near.agreement_before is None else near.agreement_before
    after = near.agreement if near.agreement_after is None else near.agreement_after
    where, rest = "", ""
    if near.break_row is not None:
        where, rest = f" from data row {near.break_row:,} on", "before"
    if near.rises:
        where, rest, sound, after = (
            f" up to data row {near.break_row:,}",
            "behind it",
            after,
            sound,
        )
    evidence = []
    if near.break_row is not None:
        evidence.append(
            Evidence(
                f"nearest texts with the same label{where}",
                f"{after:.0%}",
                f"{rest}: {sound:.0%}; shuffled labels: {near.expected:.0%}",
            )
        )
    tries: tuple[Rescoring, ...] = ()
    moved = ""
    if near.offset is not None and near.offset_agreement is not None:
        rows = abs(near.offset)
        direction = "below" if near.offset > 0 else "above"
        moved = f" by {rows} {'row' if rows == 1 else 'rows'}"
        evidence.append(
            Evidence(
                f"with the label of {rows} {'row' if rows == 1 else 'rows'} {direction}",
                f"{near.offset_agreement:.0%}",
                f"as it is: {after:.0%}",
            )
        )
        change = f"labels moved back{moved}{where}"
        own = moved_back(near.offset), with_moved_back(near.offset)
        tries = (Rescoring(change, own[0], in_place=own[1]),)
    lost = near.break_row is not None and after - near.expected < SHARE * (
        sound - near.expected
    )
    if not lost and not tries:
        return None
    how = "are those of other texts" if near.rises else "have slipped"
    return Suspicion(
        strength=0.9,
        headline=f"Labels do not belong to their texts{where}.",
        explanation=f"labels {how}{moved}{where}",
        evidence=tuple(evidence),
        remedy=Remedy(AGAIN, stops=True),
        counterfactuals=tries,
        measured=lost,
        excludes=("overfit", "label_noise", "vectors_lack_it", "classes_overlap"),
    )


def exclude(measured: Measurements) -> str | None:
    """Say that neighbours share labels."""
    near = measured.neighbours
    assert near is not None
    if near.z < 3 * AT_CHANCE or near.break_row is not None:
        return None
    return (
        f"nearest texts have the same label in {near.agreement:.0%} of the cases; shuffled "
        f"labels: {near.expected:.0%}"
    )


LABELS_UNRELATED = Cause(
    "labels_unrelated",
    "labels of other texts",
    "belonging",
    examine,
    exclude,
    needs=("learning", "neighbours"),
)
