"""Two classes cannot be told apart, or one class is written in two ways."""

from __future__ import annotations

from features.messages import clipped, listed
from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.signs import belongs, knows_nothing
from pipeline.doctor.changes.labels import merged
from pipeline.doctor.counterfactual import Rescoring
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Measurements

OF_ERRORS = 0.25
"""Share of all errors that are between the two classes. Ours."""

CONFUSED = 0.35
"""Of the texts of the two that are answered with one of them, how many with the wrong one; 50 %
is a coin. Ours."""

LEAST = 20
"""Texts of a pair without which nothing is said."""


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where a pair is answered like a coin is thrown, or labels are variants."""
    learning, audit = measured.learning, measured.audit
    assert learning is not None
    names = measured.labels.names
    variants = () if audit is None else audit.variants
    if variants:
        shown = listed(" and ".join(map(repr, group)) for group in variants[:3])
        return Suspicion(
            strength=0.8,
            headline=f"{shown} count as separate classes.",
            explanation="one class is written in several ways",
            evidence=(
                Evidence("labels that differ in spelling alone", shown, "one class each"),
            ),
            remedy=Remedy(
                "write each class in one way only",
                command="manyheads audit {data}",
            ),
            counterfactuals=_variants(names, variants),
            measured=True,
        )
    pair = worst_pair(measured)
    if pair is None or knows_nothing(measured) or not belongs(measured):
        return None
    one, other, wrong, among = pair
    errors = max(1, round((1 - learning.accuracy) * learning.texts))
    both = f"{clipped(names[one])} and {clipped(names[other])}"
    return Suspicion(
        strength=0.4 + 0.3 * (wrong / errors >= 2 * OF_ERRORS),
        headline=f"{wrong} of {errors} errors are between {both}.",
        explanation=f"{both} overlap: the texts do not tell them apart",
        evidence=(
            Evidence(
                f"wrong among texts answered with {both}",
                f"{wrong / among:.0%}",
                "a coin: 50 %",
            ),
        ),
        remedy=Remedy(
            "merge the two classes, or define them better", command="manyheads audit {data}"
        ),
        counterfactuals=(Rescoring(f"{both} counted as one class", merged(one, other)),),
    )


def worst_pair(measured: Measurements) -> tuple[int, int, int, int] | None:
    """Return the pair of classes with most errors, if it is answered like a coin is thrown.

    Returns:
        Both class ids, the errors between them, and the texts of either that are answered with
        one of them.
    """
    learning = measured.learning
    assert learning is not None
    if not learning.confused or len(measured.labels.names) < 3 or measured.behind:
        return None
    one, other, wrong, among = learning.confused[0]
    errors = max(1, round((1 - learning.accuracy) * learning.texts))
    if among < LEAST or wrong < OF_ERRORS * errors or wrong < CONFUSED * among:
        return None
    return one, other, wrong, among


def _variants(
    names: tuple[str, ...], variants: tuple[tuple[str, ...], ...]
) -> tuple[Rescoring, ...]:
    one, other = variants[0][:2]
    change = f"{one!r} and {other!r} counted as one class"
    return (Rescoring(change, merged(names.index(one), names.index(other))),)


CLASSES_OVERLAP = Cause("classes_overlap", "classes that overlap", "learning", examine)
