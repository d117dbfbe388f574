"""The split column, or the caller of arrays, cuts a sorted file: sides differ in classes."""

from __future__ import annotations

from features.messages import listed
from pipeline.doctor.cause import Cause
from pipeline.doctor.changes.sides import dealt_anew
from pipeline.doctor.counterfactual import ChangedData
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Measurements

APART = 0.15
"""Total variation of the label shares of two sides [deepchecks 0.15]."""

SORTED = -5.0
"""z of the runs of equal labels in file order. Ours."""

MISSING = 0.05
"""Share of the validation texts whose class training lacks. Ours."""


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where classes are missing in training, or sides of a sorted file differ."""
    sides, learning, labels = measured.sides, measured.learning, measured.labels
    assert sides is not None
    if not (sides.official or sides.given):
        return None
    known = sum(labels.validation_counts)
    missing = 1 - known / max(1, labels.validation_texts)
    in_order = sides.runs_z is not None and sides.runs_z < SORTED
    far = max(sides.apart_validation, sides.apart_test)
    if missing < MISSING and not (far > APART and in_order):
        return None
    evidence = [
        Evidence("label shares of the sides differ by", f"{far:.0%}", "below 15 % is usual")
    ]
    if sides.missing_in_training:
        shown = listed(sides.missing_in_training, 3)
        evidence.insert(
            0,
            Evidence(
                "validation texts of a class that training lacks", f"{missing:.0%}", shown
            ),
        )
    if in_order:
        evidence.append(
            Evidence(
                "runs of equal labels, z", f"{sides.runs_z:.0f}", "about 0 in a shuffled file"
            )
        )
    accuracy = "" if learning is None else f"{learning.accuracy:.1%} on validation, and "
    return Suspicion(
        strength=0.9 if missing >= MISSING else 0.7,
        headline=f"Do not trust this score: {accuracy}the sides have different classes.",
        explanation=(
            "the split column cuts a sorted file"
            if sides.official
            else "the sides that were given cut sorted data"
        ),
        evidence=tuple(evidence[:3]),
        remedy=Remedy("deal the sides anew", options=(("split_column", "none"),))
        if sides.official
        else Remedy("shuffle the texts before they are split", stops=True),
        counterfactuals=(ChangedData("training and validation dealt anew", dealt_anew),),
        measured=missing >= MISSING or far > 2 * APART,
        excludes=("overfit", "shift", "labels_unrelated", "step_too_large"),
    )


SPLIT_BY_ORDER = Cause("split_by_order", "a split by order", "sides", examine, needs=("sides",))
