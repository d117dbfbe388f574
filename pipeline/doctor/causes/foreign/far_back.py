"""A module of the user's own reads long texts by one state at their end."""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.signs import knows_nothing
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.foreign.counterfactual import ChangedLoop
from pipeline.doctor.measurements import Measurements
from pipeline.doctor.symptom import PARTIAL

LONG = 100
"""Median vectors of a text from which it is looked for."""

FAINT = 1e-3
"""Gradient at 100 vectors from the end, over that at the end."""

KEPT = 50


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where texts are long and the gradient does not reach their beginning."""
    found, learning = measured.invariances, measured.learning
    assert found is not None
    assert learning is not None
    reach = found.reach[-1] if found.reach else None
    if found.median_length <= LONG or reach is None or reach >= FAINT:
        return None
    ill = measured.behind or learning.class_use < PARTIAL or knows_nothing(measured)
    if not ill:
        return None
    return Suspicion(
        strength=0.8,
        headline=(
            f"Your module is right on {learning.accuracy:.1%} of the validation texts, which "
            f"have {found.median_length:,.0f} vectors each."
        ),
        explanation="it reads the end of long texts, and little of what stands before",
        evidence=(
            Evidence(
                "gradient 100 vectors from the end, over that at the end",
                f"{reach:.1g}",
                "above 0.001 is usual",
            ),
        ),
        remedy=Remedy(
            "take the maximum or the mean of the states over real positions, or convolutions "
            f"and maxima of ten before the LSTM; or read the first {KEPT} vectors only"
        ),
        counterfactuals=(
            ChangedLoop(
                f"only the first {KEPT} vectors of a text",
                (("max_vectors", KEPT),),
                trainings=0.5,
                mends=True,
            ),
        ),
    )


def exclude(measured: Measurements) -> str | None:
    """Say how long the texts are."""
    found = measured.invariances
    assert found is not None
    if found.median_length > LONG:
        return None
    return f"texts have {found.median_length:.0f} vectors"


FAR_BACK = Cause(
    "long_last_state",
    "last state of long texts",
    "learning",
    examine,
    exclude,
    needs=("invariances", "learning"),
)
