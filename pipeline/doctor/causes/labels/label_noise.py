"""Many labels are wrong, scattered over the classes."""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.signs import AT_CHANCE, belongs
from pipeline.doctor.changes.labels import leave_out_suspects, without_suspects
from pipeline.doctor.counterfactual import Rescoring
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Measurements, Neighbours

RATIO = 4.0
"""Twice the log-likelihood that wrong labels gain over none; of sound corpora 4 in 100 reach
it, nearly all of them at a share of a few percent. Ours."""

SHARE, CERTAIN = 0.1, 0.18
"""Estimated share of wrong labels that is tried, and that counts without a proof if the first
is the least that is possible. Of sound corpora it is 0 to 5 %, and 10 to 20 % where single
words mislead. Ours."""

CONFLICTS = 0.05
"""Share of the training texts that stand there with another label as well. Ours."""


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where many labels are such as no classifier of the other texts explains."""
    audit, near, learning = measured.audit, measured.neighbours, measured.learning
    assert audit is not None
    assert learning is not None
    if audit.conflicts_share >= CONFLICTS:
        return _conflicting(audit.conflicts_share)
    wrong = audit.wrong
    if wrong is None or wrong.ratio < RATIO or wrong.share < SHARE:
        return None
    certain = wrong.share >= CERTAIN and wrong.least >= SHARE
    if not belongs(measured) or (measured.behind and not certain):
        return None
    if near is not None and (near.strongest < AT_CHANCE or _slipped(near)):
        return None
    return Suspicion(
        strength=0.5 + min(0.3, wrong.share),
        headline=(
            f"Your head is right on {learning.accuracy:.1%} of the validation texts; about "
            f"{wrong.share:.0%} of the training labels are wrong."
        ),
        explanation="many labels are wrong",
        evidence=(
            Evidence(
                "labels that no classifier of the other texts can explain",
                f"{wrong.share:.0%} ({wrong.least:.0%} to {wrong.most:.0%})",
                "sound labels: 0 to 5 %",
            ),
        ),
        remedy=Remedy(
            "read the suspected labels, the most suspected first, and correct them",
            command="manyheads audit {data}",
        ),
        counterfactuals=(
            Rescoring(
                "training without suspected labels, against without as many others",
                without_suspects,
                trainings=2.0,
                trains=True,
                in_place=leave_out_suspects,
            ),
        ),
        measured=certain,
    )


def _slipped(near: Neighbours) -> bool:
    """Return whether labels are those of other rows: another cause."""
    return near.break_row is not None or near.offset is not None


def _conflicting(share: float) -> Suspicion:
    """Return the suspicion of equal texts with unequal labels: that is counted."""
    return Suspicion(
        strength=0.9,
        headline=f"{share:.0%} of the training texts stand there with another label as well.",
        explanation="equal texts have unequal labels, and one label at most can be right",
        evidence=(
            Evidence("training texts with two labels or more", f"{share:.0%}", "0 is usual"),
        ),
        remedy=Remedy(
            "give each text one label, or merge labels that go together",
            command="manyheads audit {data}",
        ),
        measured=True,
    )


LABEL_NOISE = Cause(
    "label_noise", "wrong labels", "learning", examine, needs=("learning", "audit")
)
