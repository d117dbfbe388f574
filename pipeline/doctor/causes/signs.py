"""Signs that several causes share: is something wrong, is the head at fault or are the data."""

from __future__ import annotations

from collections.abc import Iterable

from features.vectors.table import POOLED
from pipeline.doctor.findings import Evidence
from pipeline.doctor.measurements import Measurements, Reference
from pipeline.doctor.symptom import PARTIAL, name_of
from pipeline.evaluation.baselines import TFIDF

KNOWS_NOTHING = 0.02
"""Gain over the loss of the best constant answer; below it a head knows nothing of the text."""

BEHIND = 0.03
"""Points that a reference must be ahead, beyond noise, before the head is at fault. Ours."""

AHEAD = 0.02
"""Points by which a reference is ahead, beyond noise, from which a head is suspect. Ours."""

BY_HEART = 0.85
"""Training accuracy from which texts are learned by heart. Ours."""

DROPOUTS = ("input_dropout", "dropout", "recurrent_dropout", "layer_dropout")
"""Names of the settings that drop values."""

ROOM = 0.9
"""Training accuracy below which something is left to learn. Ours."""

HEART = 0.8
"""Training accuracy over the most frequent label's from which a head has learned its texts by
heart, as a share of what is missing to 1. Ours."""

MANY_VECTORS = 50.0
"""Vectors of a text in the median, from which one state may hold less of them than their mean,
however far back it sees. Ours."""

AT_CHANCE = 3.0
"""z of label agreement below which labels have nothing to do with the neighbours. Ours."""

IN_DOUBT = 2.0
"""z from which a weak signal may be there: nothing is said for certain. Ours."""

HIDES = 5.0
"""Largest over smallest class from which answering the largest alone may be all that is
learned, so that references at the majority say little. Ours."""


def knows_nothing(measured: Measurements) -> bool:
    """Return whether the answers do not depend on the text."""
    learning = measured.learning
    return learning is not None and learning.gain <= KNOWS_NOTHING


def is_behind(measured: Measurements, points: float = BEHIND) -> bool:
    """Return whether a reference is ahead of the head by so much, and beyond noise."""
    return measured.behind and measured.missing_points >= points


def is_low(measured: Measurements) -> bool:
    """Return whether the head knows nothing, uses few classes, or is behind a reference."""
    learning = measured.learning
    if learning is None:
        return False
    return knows_nothing(measured) or learning.class_use < PARTIAL or is_behind(measured)


def may_gain(measured: Measurements) -> bool:
    """Return whether there may be more to have: it is low, a reference is ahead, or training
    texts are wrong.
    """
    learning = measured.learning
    if learning is None:
        return False
    if is_low(measured) or measured.missing_points >= BEHIND:
        return True
    return learning.train_accuracy is not None and learning.train_accuracy < ROOM


def belongs(measured: Measurements) -> bool:
    """Return whether labels have to do with the texts, as far as that is known."""
    near = measured.neighbours
    best = best_reference(measured)
    if near is None or near.strongest >= AT_CHANCE or pooled_hides_it(measured):
        return True
    return best is not None and above_chance(measured, best)


def pooled_hides_it(measured: Measurements) -> bool:
    """Return whether only pooled vectors were asked, of which a sequence may hold more.

    Word counts ask the texts themselves. A head that learns its own sequences by heart, and
    nothing beyond, asks as much.
    """
    words = None if measured.references is None else measured.references.named(TFIDF)
    if words is not None or POOLED in measured.settings.layout.split(","):
        return False
    most = max(measured.labels.train_counts) / max(1, measured.labels.train_texts)
    return not learns_its_texts(measured, most + HEART * (1 - most))


def above_chance(measured: Measurements, reference: Reference) -> bool:
    """Return whether a reference is better than the majority class beyond noise."""
    learning = measured.learning
    if learning is None:
        return True
    return reference.accuracy > learning.majority + learning.noise


def assigned(changed: Iterable[tuple[str, object]], between: str = ", ") -> str:
    """Return settings as they are typed, such as ``units=16, dense=``."""
    return between.join(f"{name}={value}" for name, value in changed)


def best_reference(measured: Measurements) -> Reference | None:
    """Return the better one of logistic and TF-IDF."""
    return None if measured.references is None else measured.references.best


def last_holds_less(measured: Measurements) -> bool:
    """Return whether a head reads the last state of long texts, and ``logistic`` on the mean of
    the same vectors is ahead beyond noise.
    """
    units, pooling = measured.units, measured.settings.values.get("pooling")
    if units is None or pooling != "last" or units.median_length < MANY_VECTORS:
        return False
    plain = None if measured.references is None else measured.references.named("logistic")
    return plain is not None and plain.interval[0] > 0 and plain.ahead >= BEHIND


def learns_its_texts(measured: Measurements, share: float = 0.95) -> bool:
    """Return whether nearly all training texts are labelled rightly in evaluation mode."""
    learning = measured.learning
    return (
        learning is not None
        and learning.train_accuracy is not None
        and learning.train_accuracy >= share
    )


def reference_evidence(measured: Measurements) -> tuple[Evidence, ...]:
    """Return the head's accuracy with that of the best reference beside it."""
    learning, best = measured.learning, best_reference(measured)
    if learning is None or best is None:
        return ()
    other = f"{name_of(best)}: {best.accuracy:.1%}"
    return (Evidence("accuracy on validation", f"{learning.accuracy:.1%}", other),)


def training_evidence(measured: Measurements) -> tuple[Evidence, ...]:
    """Return the accuracy on training texts with that on validation beside it."""
    learning = measured.learning
    if learning is None or learning.train_accuracy is None:
        return ()
    return (
        Evidence(
            "right on training texts",
            f"{learning.train_accuracy:.1%}",
            f"validation: {learning.accuracy:.1%}",
        ),
    )


def percent(ratio: float) -> str:
    """Return 10 to the power of ``ratio`` as a percentage."""
    value = 100 * 10**ratio
    return f"{value:.0f} %" if value >= 10 else f"{value:.2g} %"
