"""It is better than its score says: classes in another order, or scored in another mode."""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.foreign.counterfactual import by_assignment, in_training_mode
from pipeline.doctor.measurements import Measurements

GAIN = 0.20
"""Accuracy that another order of the classes gains at least."""

MODES = 0.25
"""Difference of training and evaluation mode, in deviations of the logits
[TheDeepChecker: similarity 0.75]."""

FAR = 1.0
"""The same, from which it is likely where something is wrong and nothing is proven. Ours."""

LEARNED = 0.9
"""Training loss over that of the best constant answer, below which it has learned. Ours."""

ALIKE = 0.02
"""Accuracy by which another order may be ahead and be none."""


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where another order or mode gives another score."""
    found = measured.invariances
    assert found is not None
    if _gain(measured) >= GAIN and _has_learned(measured):
        return _order(measured)
    if found.mode_difference is not None and found.mode_difference > MODES:
        return Suspicion(
            # Batches differ a little anyway.
            strength=0.65 if found.mode_difference > FAR else 0.5,
            headline="Your module answers otherwise in evaluation than in training mode.",
            explanation="what batch normalisation has averaged is not what it saw in training",
            evidence=(
                Evidence(
                    "difference of the modes, dropout off",
                    f"{found.mode_difference:.2f} deviations",
                    "below 0.25 is usual",
                ),
            ),
            remedy=Remedy(
                "train for more steps, raise the momentum of the batch normalisation, or take "
                "layer normalisation"
            ),
            counterfactuals=(in_training_mode(),),
        )
    return None


def exclude(measured: Measurements) -> str | None:
    """Say that no other order of the classes fits better."""
    if measured.invariances is None or measured.invariances.best_assignment is None:
        return None
    return "no other order of the classes fits better" if _gain(measured) < ALIKE else None


def _has_learned(measured: Measurements) -> bool:
    """Return whether there is an order to be wrong: what has hardly learned has none yet."""
    found, learning = measured.invariances, measured.learning
    assert found is not None
    if not found.train_losses or learning is None:  # it came trained
        return True
    return min(found.train_losses) < LEARNED * learning.label_entropy


def _gain(measured: Measurements) -> float:
    found = measured.invariances
    assert found is not None
    if found.best_assignment is None or found.measured_score is None:
        return 0.0
    return found.best_assignment - found.measured_score


def _order(measured: Measurements) -> Suspicion:
    found = measured.invariances
    assert found is not None
    assert found.measured_score is not None
    assert found.best_assignment is not None
    names = measured.labels.names
    moved = [
        f"output {place} means {names[own]!r}"
        for place, own in enumerate(found.order)
        if place != own
    ]
    return Suspicion(
        strength=1.0,
        headline=(
            f"Only {found.measured_score:.1%} of the validation texts are right; in another "
            f"order of the classes it would be {found.best_assignment:.1%}."
        ),
        explanation="the classes are scored in another order than they were learned in",
        evidence=(
            Evidence(
                "accuracy in the order that fits the training texts",
                f"{found.best_assignment:.1%}",
                f"as given {found.measured_score:.1%}; {', '.join(moved[:2])}",
            ),
        ),
        remedy=Remedy("keep one list of the classes, sorted, for training and for scoring"),
        counterfactuals=(by_assignment(found.order),),
        measured=True,
    )


SCORED_OTHERWISE = Cause(
    "scored_otherwise", "scored otherwise", "function", examine, exclude, ("invariances",)
)
