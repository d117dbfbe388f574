"""Two classes cannot be told apart, or one class is written in two ways."""

from __future__ import annotations

import math

from features.messages import clipped, listed
from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.signs import AT_CHANCE, IN_DOUBT, belongs, knows_nothing
from pipeline.doctor.changes.labels import merged
from pipeline.doctor.counterfactual import Rescoring
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Measurements, Neighbours

OF_ERRORS = 0.25
"""Share of all errors that are between the two classes. Ours."""

CONFUSED = 0.35
"""Of the texts of the two that are answered with one of them, how many with the wrong one; 50 %
is a coin. Ours."""

CLEAR = 8.0
"""z of the means of a usual pair of classes, beside which one at chance is remarkable. Ours."""

APART = 0.5
"""z of the means of the two classes, over that of a usual pair, from which the vectors do tell
them apart and the head is at fault. Ours."""

LITTLE, TIMES = 4.0, 4.0
"""z of the means of a pair that is still little, if a usual pair's is so many times as large.
Ours."""

FEW = 6
"""Validation texts answered with one of two classes that their vectors do not tell apart, from
which it counts that about every other one is wrong. Ours."""

LIKE_A_COIN, NO_COIN = 0.2, 0.02
"""Chance of a coin to be wrong as seldom: from the first the answers count as a coin's; below
the second the head tells the classes apart. Ours."""

TOLD_APART = 0.05
"""Chance of a coin to be wrong as seldom as a linear classifier of the other texts, below which
the vectors tell the two classes apart, however near their means lie. Ours."""

MANY_CUT = 0.4
"""Share of the texts that are cut off, from which nothing is said of their classes. Ours."""

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
    if knows_nothing(measured) or not belongs(measured):
        return None
    pair = worst_pair(measured)
    if pair is None:
        return _indistinct(measured)
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


def _indistinct(measured: Measurements) -> Suspicion | None:
    """Return the suspicion of two classes that their vectors do not tell apart.

    The head need not be behind anything: no other one does better. How much of the errors that
    explains is seen where both are counted as one.
    """
    near = measured.neighbours
    if near is None or near.closest is None or measured.behind:
        return None
    if near.closest_z is None or near.usual_z is None:
        return None
    if near.usual_z < CLEAR or near.closest_z >= _least_apart(near.usual_z):
        return None
    names = measured.labels.names
    if max(near.closest) >= len(names):
        return None
    one, other = near.closest
    both = f"{clipped(names[one])} and {clipped(names[other])}"
    if _closest_told_apart(near):
        return None
    wrong, among = near.closest_confused or (0, 0)
    audit = measured.audit
    if audit is not None and audit.truncated_share >= MANY_CUT:
        return None  # what tells them apart may be behind the cut
    if among >= FEW and coin_chance(wrong, among) < NO_COIN:
        return None  # the head tells them apart all the same, by the order of vectors perhaps
    return Suspicion(
        strength=0.5,
        headline=f"The texts of {both} are as alike as if their labels were shuffled.",
        explanation=f"{both} overlap: nothing tells them apart",
        evidence=(
            Evidence(
                "distance of their means from that by chance, in deviations",
                f"{near.closest_z:.1f}",
                f"other pairs: about {near.usual_z:.0f}",
            ),
            Evidence(
                f"wrong among texts answered with {both}", f"{wrong} of {among}", "a coin: half"
            ),
        ),
        remedy=Remedy(
            "merge the two classes, or define them better", command="manyheads audit {data}"
        ),
        counterfactuals=(Rescoring(f"{both} counted as one class", merged(one, other)),),
        # Where few texts are concerned little is gained by it, however sure it is.
        measured=_surely_alike(near)
        or (among >= FEW and coin_chance(wrong, among) >= LIKE_A_COIN),
    )


def coin_chance(wrong: int, among: int) -> float:
    """Return the chance of a coin to be wrong as seldom as the head is between two classes."""
    ways = sum(math.comb(among, each) for each in range(wrong + 1))
    return float(ways / 2**among)


def _surely_alike(near: Neighbours) -> bool:
    """Return whether two classes lie no further apart than by chance, and others far."""
    assert near.closest_z is not None
    assert near.usual_z is not None
    return near.closest_z < IN_DOUBT and near.usual_z >= 2 * CLEAR


def _least_apart(usual: float) -> float:
    """Return the z of the means of a pair below which it is not told apart.

    Beside pairs that lie far apart, a little above chance is as remarkable.
    """
    return max(AT_CHANCE, min(LITTLE, usual / TIMES))


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
    told = _told_apart(measured.neighbours, (one, other))
    return None if told else (one, other, wrong, among)


def _told_apart(near: Neighbours | None, pair: tuple[int, int]) -> bool:
    """Return whether the vectors tell the pair with most errors apart, as others or by much."""
    if near is None:
        return False
    if (
        near.closest is not None
        and set(near.closest) == set(pair)
        and _closest_told_apart(near)
    ):
        return True
    if near.confused_z is None or near.usual_z is None:
        return False
    return near.confused_z >= max(AT_CHANCE, APART * near.usual_z)


def _closest_told_apart(near: Neighbours) -> bool:
    """Return whether a linear classifier of the other texts tells the closest two apart."""
    left_out = near.closest_left_out
    return left_out is not None and coin_chance(*left_out) < TOLD_APART


def _variants(
    names: tuple[str, ...], variants: tuple[tuple[str, ...], ...]
) -> tuple[Rescoring, ...]:
    one, other = variants[0][:2]
    change = f"{one!r} and {other!r} counted as one class"
    return (Rescoring(change, merged(names.index(one), names.index(other))),)


CLASSES_OVERLAP = Cause("classes_overlap", "classes that overlap", "learning", examine)
