"""The symptom in the user's words: what they see, before any cause."""

from __future__ import annotations

from features.messages import clipped
from pipeline.doctor.measurements import Measurements, Reference
from pipeline.doctor.measurements.data import DEFAULTS

NAMES = {
    "tfidf_logistic": "TF-IDF with logistic regression",
    "knn": "the nearest neighbours",
    DEFAULTS: "the same head with its default settings",
}
"""References for people."""

PARTIAL = 0.5
"""Effective predicted classes over effective labels; below it a head has collapsed in part."""


def symptom_of(measured: Measurements) -> str:
    """Return one sentence: one class for everything, behind a reference, or just the score."""
    learning, labels = measured.learning, measured.labels
    if learning is None:
        return "The head was not measured."
    if learning.class_use < PARTIAL:
        shares = learning.predicted_shares
        most = max(range(len(shares)), key=shares.__getitem__)
        return (
            f"Your head answers {clipped(labels.names[most])} for {shares[most]:.0%} of the "
            f"validation texts; {len(labels.names)} classes are there, it uses "
            f"{learning.effective_classes:.1f} of them."
        )
    best = None if measured.references is None else measured.references.best
    if best is not None and best.ahead > 0 and best.accuracy > learning.accuracy:
        return (
            f"Your head stops at {learning.accuracy:.1%}; {name_of(best)} has "
            f"{best.accuracy:.1%} on the same texts."
        )
    return f"Your head is right on {learning.accuracy:.1%} of the validation texts."


def name_of(reference: Reference) -> str:
    """Return what a reference is called."""
    return NAMES.get(reference.name, reference.name)
