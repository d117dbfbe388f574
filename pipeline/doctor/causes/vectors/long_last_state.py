"""The last state of an LSTM forgets the beginning of a long text."""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.signs import belongs, last_holds_less, may_gain
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

UNPROVEN = 0.58
"""Strength where the state sees far back: tried, and told only if that proves it. Ours."""


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where texts are long, and the end alone counts or the mean does better."""
    units, values = measured.units, measured.settings.values
    assert units is not None
    if values.get("pooling") != "last" or units.median_length < LONG or not units.reach:
        return None
    if not may_gain(measured) or not belongs(measured):
        return None
    ten, hundred = units.reach[1], units.reach[2]
    reach = hundred if hundred is not None else (ten or 1.0) ** (units.median_length / 10)
    forgets = reach < REACH
    if not forgets and not last_holds_less(measured):
        return None
    lengths = [] if measured.audit is None else list(measured.audit.accuracy_by_length)
    falls = len(lengths) > 1 and lengths[0][2] - lengths[-1][2] > 0.1
    changed = (("pooling", "max"),)
    return Suspicion(
        strength=(0.8 if forgets else UNPROVEN) + 0.1 * falls,
        headline=symptom_of(measured),
        explanation="the last state forgets the beginning of a long text"
        if forgets
        else "the last state holds less of a long text than the mean of its vectors",
        evidence=(
            Evidence("vectors of a text", f"{units.median_length:.0f}", "all are to be kept"),
            Evidence(
                "influence of the 100th from the end", f"{reach:.1g}", "of the last one: 1"
            )
            if forgets
            else _mean_ahead(measured),
        ),
        remedy=Remedy("take the maximum of all states", settings=changed),
        counterfactuals=(ChangedSettings("pooling last -> max", changed),),
    )


def _mean_ahead(measured: Measurements) -> Evidence:
    """Return the head's accuracy with that of ``logistic`` on the mean beside it."""
    assert measured.learning is not None
    assert measured.references is not None
    plain = measured.references.named("logistic")
    assert plain is not None
    own = f"{measured.learning.accuracy:.1%}"
    return Evidence("accuracy", own, f"logistic on the mean vector: {plain.accuracy:.1%}")


LONG_LAST_STATE = Cause(
    "long_last_state",
    "a last state of long texts",
    "learning",
    examine,
    needs=("learning", "units"),
)
