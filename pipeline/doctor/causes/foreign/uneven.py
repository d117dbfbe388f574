"""Rare classes are lost by a classifier of the user's own; judged as of a head, by macro-F1."""

from __future__ import annotations

from dataclasses import replace

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.labels.imbalance import IMBALANCE, exclude
from pipeline.doctor.findings import Remedy, Suspicion
from pipeline.doctor.foreign.counterfactual import ChangedEstimator, ChangedLoop
from pipeline.doctor.foreign.refitted import WEIGHTS, weighed
from pipeline.doctor.measurements import Measurements

LATER = 0.4
"""Strength where a reference over the same vectors is ahead. Ours."""

JUDGE = "and judge by macro-F1, not by accuracy"


def examine_module(measured: Measurements) -> Suspicion | None:
    """Suspect it as of a head without class weights, which the plain loop has none of."""
    change = ChangedLoop(
        "classes weighed inversely to their frequency",
        (("balanced", True),),
        measure="macro_f1",
        mends=True,
    )
    words = "weigh the classes in the loss, such as CrossEntropyLoss(weight=...)"
    return _unweighed(measured, change, words)


def examine_estimator(measured: Measurements) -> Suspicion | None:
    """Suspect it as of a head without class weights, unless the estimator has some."""
    found = measured.invariances
    assert found is not None
    if measured.weighed or not found.fitted_here:
        return None
    change = ChangedEstimator(f"{WEIGHTS}='balanced'", weighed, measure="macro_f1")
    words = f"weigh the classes ({WEIGHTS}='balanced', where the estimator has it)"
    uneven = _unweighed(measured, change, words)
    if uneven is None or not measured.behind:
        return uneven
    return replace(uneven, strength=LATER)  # what holds it back is looked for first


def _unweighed(
    measured: Measurements, change: ChangedLoop | ChangedEstimator, words: str
) -> Suspicion | None:
    settings = measured.settings
    plain = replace(settings, values={**settings.values, "class_weights": "none"})
    found = IMBALANCE.examine(replace(measured, settings=plain))
    if found is None:
        return None
    return replace(
        found,
        remedy=Remedy(f"{words}, {JUDGE}"),
        counterfactuals=(change,) if found.counterfactuals else (),
    )


MODULE_IMBALANCE, ESTIMATOR_IMBALANCE = (
    Cause(
        "imbalance",
        "uneven classes",
        "learning",
        examine,
        exclude,
        ("invariances", "learning"),
    )
    for examine in (examine_module, examine_estimator)
)
