"""The last state of an LSTM forgets the beginning of a long text."""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.signs import belongs, may_gain
from pipeline.doctor.counterfactual import ChangedSettings
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Measurements
from pipeline.doctor.symptom import symptom_of

LONG = 12.0
"""Vectors of a text in the median. Ours; documents say 100. How far back the state sees is
measured."""

REACH = 1e-3
"""Gradient at 100 positions from the end, over that at the end; of texts that are shorter, that
at 10 positions must have fallen as fast. Ours."""


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where the end alone moves the loss, and texts are long."""
    units, values = measured.units, measured.settings.values
    assert units is not None
    if values.get("pooling") != "last" or units.median_length < LONG or not units.reach:
        return None
    if not may_gain(measured) or not belongs(measured):
        return None
    ten, hundred = units.reach[1], units.reach[2]
    reach = hundred if hundred is not None else (ten or 1.0) ** (units.median_length / 10)
    if reach >= REACH:
        return None
    lengths = [] if measured.audit is None else list(measured.audit.accuracy_by_length)
    falls = len(lengths) > 1 and lengths[0][2] - lengths[-1][2] > 0.1
    changed = (("pooling", "max"),)
    return Suspicion(
        strength=0.8 + 0.1 * falls,
        headline=symptom_of(measured),
        explanation="the last state forgets the beginning of a long text",
        evidence=(
            Evidence("vectors of a text", f"{units.median_length:.0f}", "all are to be kept"),
            Evidence(
                "influence of the 100th from the end", f"{reach:.1g}", "of the last one: 1"
            ),
        ),
        remedy=Remedy("take the maximum of all states", settings=changed),
        counterfactuals=(ChangedSettings("pooling last -> max", changed),),
    )


LONG_LAST_STATE = Cause(
    "long_last_state",
    "a last state of long texts",
    "learning",
    examine,
    needs=("learning", "units"),
)
