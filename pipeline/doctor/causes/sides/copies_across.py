"""Texts of validation have a near-copy in training, and the score is too good by that."""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.changes.sides import without_copies
from pipeline.doctor.counterfactual import Rescoring
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Measurements

SHARE = 0.05
"""Of the validation texts [deepchecks 5 %]."""

POINTS = 0.02
"""By which the score is too good. Ours."""


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where texts with a copy are right beyond noise more often."""
    sides, learning = measured.sides, measured.learning
    assert sides is not None
    assert learning is not None
    copied, rest, interval = (
        sides.copied_accuracy,
        sides.uncopied_accuracy,
        sides.uncopied_interval,
    )
    if sides.copied_share < SHARE or copied is None:
        return None
    if rest is None or interval is None:
        return _all_copied(measured)
    if copied <= interval[1] or learning.accuracy - rest < POINTS:
        return None
    return Suspicion(
        strength=0.9,
        headline=(
            f"Do not trust this {learning.accuracy:.1%}: {sides.copied:,} of "
            f"{sides.compared:,} validation texts have a near-copy among the training texts."
        ),
        explanation="copies of one text are on several sides of the split",
        evidence=(
            Evidence("right with a copy in training", f"{copied:.1%}", f"without: {rest:.1%}"),
            Evidence(
                "so new texts will be right in about",
                f"{rest:.1%}",
                f"{interval[0]:.0%} to {interval[1]:.0%}",
            ),
            *_shown(measured),
        ),
        remedy=_remedy(measured),
        counterfactuals=(
            Rescoring(
                "the score of texts without a copy in training",
                without_copies,
                expected="falls",
            ),
        ),
        measured=True,
        excludes=("giveaway", "overfit"),
    )


def _all_copied(measured: Measurements) -> Suspicion:
    sides, learning = measured.sides, measured.learning
    assert sides is not None
    assert learning is not None
    return Suspicion(
        strength=0.9,
        headline=(
            f"Do not trust this {learning.accuracy:.1%}: every validation text has a near-copy "
            "among the training texts."
        ),
        explanation="copies of one text are on several sides of the split",
        evidence=_shown(measured),
        remedy=_remedy(measured),
        measured=True,
    )


def _shown(measured: Measurements) -> tuple[Evidence, ...]:
    """Return a pair of rows to look at."""
    sides = measured.sides
    assert sides is not None
    if not sides.examples:
        return ()
    held_out, learned = sides.examples[0]
    return (Evidence("for example row", f"{held_out}", f"a copy is in row {learned}"),)


def _remedy(measured: Measurements) -> Remedy:
    sides = measured.sides
    assert sides is not None
    changed = (("split_column", "none"),) if sides.official else (("split", "near"),)
    return Remedy("keep copies on one side", options=changed, also="manyheads audit {data}")


COPIES_ACROSS = Cause(
    "copies_across", "copies on both sides", "sides", examine, needs=("learning", "sides")
)
