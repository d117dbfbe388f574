"""Dropout, weight decay or label smoothing hold the head back, on its own texts as well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.signs import (
    DROPOUTS,
    assigned,
    belongs,
    may_gain,
    reference_evidence,
    training_evidence,
)
from pipeline.doctor.counterfactual import ChangedSettings
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Measurements
from pipeline.doctor.symptom import symptom_of

GAP = 0.08
"""Training less validation accuracy, below which it does not learn its own texts. Ours."""

KEPT = 0.2
"""Share of the features that passes all dropouts together. Ours."""

DECAYED = 1.0
"""Weight decay x step size x steps, from which weights are mostly decayed. Ours."""

SMOOTHED = 0.3


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where a strong regularisation is set and the training texts stay wrong."""
    learning, values = measured.learning, measured.settings.values
    assert learning is not None
    gap = learning.gap
    if gap is None or gap >= GAP or not may_gain(measured) or not belongs(measured):
        return None
    found = strong(values, 0 if measured.steps is None else measured.steps.count)
    if not found:
        return None
    what, shown, usual, change = found[0]
    return Suspicion(
        strength=0.4 + 0.2 * (len(found) > 1) + 0.1 * (gap < 0.02),
        headline=symptom_of(measured),
        explanation=f"{what} is too strong",
        evidence=(
            Evidence(what, shown, usual),
            *training_evidence(measured),
            *reference_evidence(measured),
        ),
        remedy=Remedy(f"set {assigned(change)}", settings=change),
        counterfactuals=tuple(ChangedSettings(assigned(each), each) for _, _, _, each in found),
    )


def strong(
    values: Mapping[str, Any], steps: int
) -> list[tuple[str, str, str, tuple[tuple[str, str], ...]]]:
    """Return what is set strongly: its name, value, what is usual, and what to set instead."""
    found = []
    rates = {name: float(values.get(name) or 0.0) for name in DROPOUTS}
    kept = 1.0
    for rate in rates.values():
        kept *= 1.0 - rate
    if kept < KEPT:
        change = tuple((name, "0") for name, rate in rates.items() if rate)
        found.append(("dropout", f"{kept:.0%} of the features pass", "35 to 80 %", change))
    decay = float(values.get("weight_decay") or 0.0)
    if values.get("optimizer") in ("adamw", "sgd"):
        shrunk = decay * float(values.get("learning_rate") or 0.0) * steps
        if shrunk > DECAYED:
            found.append(
                ("weight decay", f"{decay:g}", "0.01 is usual", (("weight_decay", "0.01"),))
            )
    smoothing = float(values.get("label_smoothing") or 0.0)
    if smoothing > SMOOTHED:
        found.append(
            (
                "label smoothing",
                f"{smoothing:g}",
                "0 to 0.2 is usual",
                (("label_smoothing", "0"),),
            )
        )
    return found


OVER_REGULARISED = Cause(
    "over_regularised", "too much regularisation", "learning", examine, needs=("learning",)
)
