"""The module gives probabilities, or other bounded numbers, to a loss that expects logits."""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.foreign.counterfactual import ChangedLoop
from pipeline.doctor.measurements import Measurements

LOGITS = "logits"

INVERSES = {
    "softmax": "the logarithm of its output",
    "sigmoid of a softmax": "the logarithm of the inverse sigmoid of its output",
    "sigmoid": "the inverse sigmoid of its output",
    "tanh": "the inverse tanh of its output",
}
"""What is taken for the logits, by what the output looks like."""


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where all outputs fit a bounded function, after learning by heart too."""
    found, learning = measured.invariances, measured.learning
    assert found is not None
    if found.output == LOGITS or found.output not in INVERSES:
        return None
    classes = len(measured.labels.names)
    resting = found.final_train_loss
    rests = "" if resting is None else f"; its training loss rests at {resting:.3f}"
    reached = "" if learning is None else f", and is right on {learning.accuracy:.1%}"
    change = f"{INVERSES[found.output]} as logits"
    return Suspicion(
        strength=1.0,
        headline=f"Your module's loss cannot fall below {found.floor:.3f}{rests}{reached}.",
        explanation=f"the output is a {found.output}, and the loss expects logits",
        evidence=(
            Evidence(
                f"lowest loss that a {found.output} can reach as logits, {classes} classes",
                f"{found.floor:.3f}",
                "logits can reach 0",
            ),
        ),
        remedy=Remedy(
            f"return the logits: leave the {found.output} out of forward, and take the softmax "
            "only where probabilities are shown"
        ),
        # What is squashed is the loss, so that proves it; what it costs in accuracy, often
        # nothing, is told beside it (``pipeline.doctor.foreign.accuracy``).
        counterfactuals=(
            ChangedLoop(change, (("reading", found.output),), "training_loss", mends=True),
        ),
        measured=True,
    )


def exclude(measured: Measurements) -> str | None:
    """Say that the outputs are not bounded."""
    found = measured.invariances
    assert found is not None
    return "its outputs are not bounded" if found.output == LOGITS else None


OUTPUT_SQUASHED = Cause(
    "output_squashed",
    "squashed output",
    "function",
    examine,
    exclude,
    needs=("invariances",),
)
