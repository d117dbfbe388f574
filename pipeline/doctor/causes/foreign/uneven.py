"""Rare classes are lost by a module of the user's own; judged as of a head, by macro-F1."""

from __future__ import annotations

from dataclasses import replace

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.labels.imbalance import IMBALANCE, exclude
from pipeline.doctor.findings import Remedy, Suspicion
from pipeline.doctor.foreign.counterfactual import ChangedLoop
from pipeline.doctor.measurements import Measurements


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it as of a head without class weights, which the plain loop has none of."""
    settings = measured.settings
    plain = replace(settings, values={**settings.values, "class_weights": "none"})
    found = IMBALANCE.examine(replace(measured, settings=plain))
    if found is None:
        return None
    weighed = ChangedLoop(
        "classes weighed inversely to their frequency",
        (("balanced", True),),
        measure="macro_f1",
        mends=True,
    )
    return replace(
        found,
        remedy=Remedy(
            "weigh the classes in the loss, such as CrossEntropyLoss(weight=...), and judge by "
            "macro-F1, not by accuracy"
        ),
        counterfactuals=(weighed,) if found.counterfactuals else (),
    )


MODULE_IMBALANCE = Cause(
    "imbalance",
    "uneven classes",
    "learning",
    examine,
    exclude,
    ("invariances", "learning"),
)
