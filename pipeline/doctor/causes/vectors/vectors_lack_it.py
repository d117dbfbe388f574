"""The vectors lack what tells the labels apart: word counts do better than any head on them."""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.sides.giveaway import SHARE as GIVEN_AWAY
from pipeline.doctor.causes.signs import AT_CHANCE
from pipeline.doctor.causes.vectors.cut_off import SHARE as CUT
from pipeline.doctor.changes.words import words_for_vectors
from pipeline.doctor.counterfactual import Rescoring
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Measurements
from pipeline.doctor.symptom import symptom_of
from pipeline.evaluation.baselines import TFIDF

POINTS = 0.05
"""By which word counts are ahead of logistic on the vectors. Ours."""


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where word counts are ahead of logistic and of the head beyond noise."""
    references, near, audit = measured.references, measured.neighbours, measured.audit
    assert references is not None
    words, vectors = references.named(TFIDF), references.named("logistic")
    if words is None:
        return None
    own = None if measured.learning is None else measured.learning.accuracy
    other = own if vectors is None else vectors.accuracy
    if other is None or words.interval[0] <= 0 or words.accuracy - other < POINTS:
        return None
    if vectors is not None and vectors.interval[0] > 0:
        return None  # the head makes less of the vectors than logistic does: look there first
    slipped = near is not None and near.break_row is not None
    if slipped or (
        measured.learning is not None and words.accuracy <= measured.learning.majority
    ):
        return None
    weak = near is not None and near.z < 10 * AT_CHANCE
    # Word counts see giveaways and read whole texts: these are to be looked at first.
    first = audit is not None and (
        audit.truncated_share >= CUT or audit.giveaway_share >= GIVEN_AWAY
    )
    return Suspicion(
        strength=0.4 if first else 0.6 + 0.1 * weak,
        headline=symptom_of(measured),
        explanation="the vectors lack what tells the labels apart",
        evidence=(
            Evidence(
                "word counts", f"{words.accuracy:.1%}", f"logistic on vectors: {other:.1%}"
            ),
        ),
        remedy=Remedy(
            "let the head read words beside the vectors, or take another encoder or layer",
            head="logistic",
            layout="words",  # what is proven: on vectors it reads what the head reads
        ),
        counterfactuals=(
            Rescoring("logistic on word counts, not on vectors", words_for_vectors),
        ),
    )


VECTORS_LACK_IT = Cause(
    "vectors_lack_it",
    "vectors that lack it",
    "learning",
    examine,
    needs=("learning", "references"),
)
