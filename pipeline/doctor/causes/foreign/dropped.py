"""A module of the user's own drops so much that it does not learn its training texts."""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.foreign.signs import learns_little
from pipeline.doctor.causes.signs import training_evidence
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.foreign.counterfactual import ChangedLoop
from pipeline.doctor.measurements import Measurements
from pipeline.doctor.symptom import symptom_of

LEAST, MUCH = 0.2, 0.5
"""Share that a layer drops from which it is asked what that costs, and above which it is much
[UMLAUT: 0.5]."""


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where layers drop values and the training texts are not learned."""
    found = measured.invariances
    assert found is not None
    if found.dropped < LEAST or not learns_little(measured):
        return None
    return Suspicion(
        strength=0.6 if found.dropped > MUCH else 0.4,
        headline=symptom_of(measured),
        explanation="dropout keeps too little for this module to learn from",
        evidence=(
            Evidence("a layer drops", f"{found.dropped:.0%}", "0 to 50 % is usual"),
            *training_evidence(measured),
        ),
        remedy=Remedy("lower the shares of the dropout layers, to 0.2 for a start"),
        counterfactuals=(ChangedLoop("no dropout", (("dropout", False),), mends=True),),
    )


def exclude(measured: Measurements) -> str | None:
    """Say that nothing is dropped."""
    found = measured.invariances
    assert found is not None
    return "no layer drops anything" if not found.dropped else None


MODULE_OVER_REGULARISED = Cause(
    "over_regularised",
    "too much dropout",
    "learning",
    examine,
    exclude,
    ("invariances", "learning"),
)
