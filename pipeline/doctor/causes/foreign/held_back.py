"""An estimator learns little: its parameters hold it back, or the size of the features."""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.foreign.signs import learns_little
from pipeline.doctor.causes.signs import training_evidence
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.foreign.counterfactual import ChangedEstimator
from pipeline.doctor.foreign.refitted import WEIGHTS, scaled, with_defaults
from pipeline.doctor.measurements import Measurements
from pipeline.doctor.symptom import symptom_of

SCALED = "a StandardScaler in front"
DEFAULTS = "its default parameters"


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect the parameters where they differ from the defaults, and else the features."""
    found = measured.invariances
    assert found is not None
    if not found.fitted_here or not learns_little(measured):
        return None
    own = [one for one in found.parameters if not one[0].endswith(WEIGHTS)]
    shown = ", ".join(f"{name}={value}" for name, value in own[:3])
    if own:
        change = ChangedEstimator(DEFAULTS, with_defaults)
        words = f"take {DEFAULTS} in place of {shown}, or search for better ones"
    else:
        change = ChangedEstimator(SCALED, scaled)
        words = "scale the features first: make_pipeline(StandardScaler(), ...) of scikit-learn"
    return Suspicion(
        strength=0.5,
        headline=symptom_of(measured),
        explanation=(
            "its parameters hold it back"
            if own
            else "it is held back by the size of the features"
        ),
        evidence=(
            *((Evidence("parameters", shown, "others than the defaults"),) if own else ()),
            *training_evidence(measured),
        ),
        remedy=Remedy(words),
        counterfactuals=(change,),
    )


ESTIMATOR_HELD_BACK = Cause(
    "over_regularised",
    "held back",
    "learning",
    examine,
    needs=("invariances", "learning"),
)
