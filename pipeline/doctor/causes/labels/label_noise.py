"""Many labels are wrong, scattered over the classes."""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.signs import belongs
from pipeline.doctor.changes.labels import leave_out_suspects, without_suspects
from pipeline.doctor.counterfactual import Rescoring
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Measurements

SUSPECTS = 0.055
"""Share of the training texts whose label is suspected; of sound labels 1 to 4 %, and of 10 to
20 % wrong ones 5.5 to 9 %, since a model that learned from these is less sure. Ours."""

SCATTERED = 0.5
"""Share of the suspects in their two most frequent pairs of classes; above it classes overlap.
With two classes all are in one pair."""

CONFLICTS = 0.05
"""Share of the training texts that stand there with another label as well. Ours."""

STRONG = 15.0
"""z of label agreement: the other labels do belong to their texts. Ours."""


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where many labels are ruled out by a model that never saw them."""
    audit, near, learning = measured.audit, measured.neighbours, measured.learning
    assert audit is not None
    assert learning is not None
    if audit.conflicts_share >= CONFLICTS:
        return _conflicting(audit.conflicts_share)
    share = audit.suspects_share
    if share is None or share < SUSPECTS or not belongs(measured) or measured.behind:
        return None
    if near is not None and (near.z < STRONG or near.break_row is not None):
        return None
    pairs = audit.suspects_pairs or 0.0
    if pairs > SCATTERED and len(measured.labels.names) > 3:
        return None
    return Suspicion(
        strength=0.4 + min(0.3, 2 * (share - SUSPECTS)),
        headline=(
            f"Your head is right on {learning.accuracy:.1%} of the validation texts; "
            f"{share:.0%} of the training labels are suspected."
        ),
        explanation="many labels are wrong",
        evidence=(
            Evidence("suspected labels", f"{share:.0%}", "below 5 % is usual"),
            Evidence(
                "of them in two pairs of classes", f"{pairs:.0%}", "so they are scattered"
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
    )


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
