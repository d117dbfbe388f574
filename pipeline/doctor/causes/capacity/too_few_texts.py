"""There are too few texts: with half of them all heads are worse, so more would be better."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.signs import best_reference
from pipeline.doctor.counterfactual import ChangedData
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Measurements
from pipeline.doctor.symptom import name_of

if TYPE_CHECKING:
    from pipeline.doctor.case import Case

FEW = 30
"""Training texts of a class, in the median. Ours."""

HANDFUL = 5
"""Training texts of a class, in the median, of which nobody needs proof. Ours."""

POINTS = 0.02
"""Accuracy gained by twice the texts. Ours."""

GOOD, FAIR = 0.9, 0.8
"""Accuracy from which nobody asks for more texts: the first with fewer than ``FEW`` / 2 per
class, the second with more. Ours."""


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where classes are small and the learning curve is still steep."""
    learning, references = measured.learning, measured.references
    assert learning is not None
    assert references is not None
    per_doubling, interval = references.points_per_doubling, references.doubling_interval
    count = measured.labels.median_count
    enough = GOOD if count < FEW / 2 else FAIR
    if count >= FEW or learning.accuracy >= enough or measured.behind:
        return None
    handful = count <= HANDFUL
    if not handful and (per_doubling is None or interval is None or per_doubling < POINTS):
        return None
    if count >= FEW / 2 and interval is not None and interval[0] <= 0:
        return None
    evidence = [Evidence("training texts of a class", f"{count:.0f}", "30 and more are usual")]
    if references.half is not None:
        evidence.append(
            Evidence(
                "logistic with half of them",
                f"{references.half:.1%}",
                f"all: {references.whole:.1%}",
            )
        )
    return Suspicion(
        strength=0.5 + 0.1 * (count < FEW / 2),
        headline=(
            f"Your head is right on {learning.accuracy:.1%} of the validation texts, and no "
            "other one does better."
        ),
        explanation="there are too few texts",
        evidence=tuple(evidence),
        remedy=Remedy(
            "label more texts, or merge classes; no setting of the head helps", stops=True
        ),
        counterfactuals=(
            ChangedData("half of the training texts", halved, 0.5, expected="falls"),
        ),
        # Every classifier of few texts is compared there, on both halves: no guess is left.
        measured=handful or _surely_steep(count, interval),
    )


def _surely_steep(count: float, interval: tuple[float, float] | None) -> bool:
    """Return whether classes are small and half of their texts are worse beyond noise."""
    return count < FEW / 2 and interval is not None and interval[0] > 0


def exclude(measured: Measurements) -> str | None:
    """Say what another classifier reaches with the same texts."""
    best = best_reference(measured)
    if not measured.behind or best is None:
        return None
    return f"{name_of(best)} reaches {best.accuracy:.1%} with the same texts"


def halved(case: Case) -> Case:
    """Return the case with half of the training texts of every class."""
    from pipeline.doctor.measuring.references import halves_of

    return replace(case, train=halves_of(case.labels, case.train)[0])


TOO_FEW_TEXTS = Cause(
    "too_few_texts",
    "too few texts",
    "learning",
    examine,
    exclude,
    needs=("learning", "references"),
)
