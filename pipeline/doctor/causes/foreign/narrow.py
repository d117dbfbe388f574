"""A module of the user's own has a layer in front of its output that is too narrow."""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.foreign.signs import fails_by_heart, is_narrow, learns_little
from pipeline.doctor.causes.signs import training_evidence
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Measurements
from pipeline.doctor.symptom import symptom_of


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where the outputs move in few directions and training texts are not learned.

    Nothing that can be changed around a module would prove it; that 16 texts cannot be learned
    by heart leaves no doubt.
    """
    found, classes = measured.invariances, len(measured.labels.names)
    assert found is not None
    failed = fails_by_heart(found)
    if not is_narrow(measured) or not (failed or learns_little(measured)):
        return None
    return Suspicion(
        strength=0.95 if failed else 0.6,
        measured=failed,
        headline=symptom_of(measured),
        explanation="a layer in front of the output is too narrow for so many classes",
        evidence=(
            Evidence(
                "directions in which the outputs differ between texts",
                f"{found.directions}",
                f"{classes - 1} for {classes} classes",
            ),
            *training_evidence(measured),
        ),
        remedy=Remedy(f"give the layer before the output {4 * classes} units or more"),
    )


MODULE_TOO_SMALL = Cause(
    "too_small_head",
    "too narrow a layer",
    "function",
    examine,
    needs=("invariances", "learning"),
)
