"""A token in the texts gives the label away, and will not be there when the head is used."""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.changes.words import without_giveaways
from pipeline.doctor.counterfactual import Rescoring
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Measurements
from pipeline.evaluation.baselines import TFIDF

SHARE = 0.15
"""Of a class's texts that one such token is in [the audit's threshold]."""

TOO_GOOD = 0.97
"""Accuracy of word counts that few tasks allow. Ours."""


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where tokens that are no plain words predict a label."""
    audit, learning = measured.audit, measured.learning
    assert audit is not None
    assert learning is not None
    if audit.giveaway_share < SHARE or not audit.giveaways:
        return None
    token, label = audit.giveaways[0]
    shown = f"{token!r} (0: any number)" if "0" in token else repr(token)
    words = None if measured.references is None else measured.references.named(TFIDF)
    too_good = words is not None and words.accuracy >= TOO_GOOD
    evidence = [
        Evidence(
            f"texts of {label} with {token!r}",
            f"{audit.giveaway_share:.0%}",
            "and of no other label",
        )
    ]
    if words is not None:
        evidence.append(
            Evidence(
                "word counts alone", f"{words.accuracy:.1%}", f"head: {learning.accuracy:.1%}"
            )
        )
    return Suspicion(
        strength=0.5 + 0.3 * too_good,
        headline=(
            f"Do not trust this {learning.accuracy:.1%}: {shown} stands in "
            f"{audit.giveaway_share:.0%} of the texts of {label}, and in no other."
        ),
        explanation=f"tokens such as {token!r} give the label away",
        evidence=tuple(evidence),
        remedy=Remedy(
            "take the tokens out and encode again",
            command="manyheads audit {data} --write-clean clean.csv --remedies giveaways",
        ),
        counterfactuals=(
            Rescoring("word counts without these tokens", without_giveaways, expected="falls"),
        ),
    )


GIVEAWAY = Cause("giveaway", "a giveaway", "sides", examine, needs=("learning", "audit"))
