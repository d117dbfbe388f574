"""Training texts are unlike those of validation or test: one score says little of the other."""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.sides.split_by_order import SORTED
from pipeline.doctor.changes.sides import dealt_anew
from pipeline.doctor.counterfactual import ChangedData
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Measurements

AUC = 0.70
"""Of a classifier that tells the sides apart [deepchecks: 0.25 on a scale of its own]."""

CERTAIN = 0.80

APART = 0.15
"""Total variation of the label shares [deepchecks 0.15]."""


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where a classifier tells the sides apart, or label shares differ."""
    sides, learning = measured.sides, measured.learning
    assert sides is not None
    assert learning is not None
    aucs = {"validation": sides.auc_validation, "test": sides.auc_test}
    known = {name: auc for name, auc in aucs.items() if auc is not None}
    side = max(known, key=lambda name: known[name], default="test")
    auc = known.get(side, 0.5)
    if not sides.official and auc <= CERTAIN:
        return None  # sides that were dealt here differ by chance alone
    far = max(sides.apart_validation, sides.apart_test)
    in_order = sides.runs_z is not None and sides.runs_z < SORTED
    if auc <= AUC and (far <= APART or in_order):
        return None
    evidence = []
    if auc > AUC:
        what = f"{side} told from training by its vectors (AUC)"
        evidence.append(Evidence(what, f"{auc:.2f}", "0.5 where they are alike"))
    if far > APART:
        evidence.append(
            Evidence("label shares of the sides differ by", f"{far:.0%}", "below 15 % is usual")
        )
    return Suspicion(
        strength=0.5 + 0.2 * (auc > CERTAIN) + 0.1 * (far > APART),
        headline=f"The texts of {side} are unlike those of training.",
        explanation="the sides hold texts of different kinds",
        evidence=tuple(evidence),
        remedy=Remedy(
            "train on texts like those of use; until then believe the test figure alone",
            stops=True,
        ),
        counterfactuals=(ChangedData("training and validation dealt anew", dealt_anew),)
        if side == "validation"
        else (),
        measured=auc > CERTAIN,
    )


SHIFT = Cause("shift", "sides that differ", "sides", examine, needs=("learning", "sides"))
