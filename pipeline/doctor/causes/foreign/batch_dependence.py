"""A text gets other answers in other company: padding is read, or texts are mixed."""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.counterfactual import Counterfactual
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.foreign.counterfactual import ChangedLoop, more_padding, one_by_one
from pipeline.doctor.measurements import Invariances, Measurements

TOLERANCE = 1e-3
"""In deviations of the outputs between texts; differences below it are rounding."""

PADDING, NEIGHBOURS, STATE = "padding", "neighbours", "state"


def kind_of(found: Invariances) -> str:
    """Return what the answers depend on besides the text; '' if on nothing."""
    if _fails(found.twice):
        return STATE
    if _fails(found.neighbours) or _fails(found.reversed):
        return NEIGHBOURS
    return PADDING if _fails(found.padded) or _fails(found.alone) else ""


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where an invariance fails; that alone leaves no doubt."""
    found = measured.invariances
    assert found is not None
    kind = kind_of(found)
    if not kind:
        return None
    trials: tuple[Counterfactual, ...] = ()
    if kind == PADDING:
        unpadded = ChangedLoop(
            "only texts of one length in a batch, so no padding", (("padded", False),)
        )
        trials = (unpadded, more_padding())
    elif kind == NEIGHBOURS:
        trials = (one_by_one(),)
    headline, explanation, remedy = WORDS[kind]
    failed = [words for name, words in found.failures if name != "repeat"]
    return Suspicion(
        strength=1.0,
        headline=headline,
        explanation=explanation,
        evidence=(
            *_evidence(found, kind),
            *(
                Evidence("the module fails in a comparison", each, "it should take any batch")
                for each in failed[:1]
            ),
        ),
        remedy=Remedy(remedy),
        counterfactuals=trials,
        measured=True,
        # What is read from padding or from other texts may keep 16 texts from being learned.
        excludes=("long_last_state", "scored_otherwise", "gradient_fault"),
    )


WORDS = {
    PADDING: (
        "Your module gives a text another answer when more padding stands behind it.",
        "padding is read as if it were text",
        "use the mask: read the state at each text's own last vector, and pool over real "
        "positions only",
    ),
    NEIGHBOURS: (
        "Your module gives a text another answer when other texts stand beside it.",
        "texts of a batch are mixed",
        "keep the axes apart: vectors come as (texts, positions, width), so LSTM and attention "
        "layers need batch_first=True, and no sum or softmax may go over texts",
    ),
    STATE: (
        "Your module gives the same texts another answer when it is asked twice.",
        "something random or remembered is left in evaluation mode",
        "make dropout depend on self.training, and start every call with a fresh state",
    ),
}


def exclude(measured: Measurements) -> str | None:
    """Say that all five comparisons hold."""
    found = measured.invariances
    assert found is not None
    return None if kind_of(found) else "alone, in a batch and behind padding it answers alike"


def _fails(difference: float | None) -> bool:
    return difference is not None and not difference <= TOLERANCE


def _evidence(found: Invariances, kind: str) -> tuple[Evidence, ...]:
    behind = _fails(found.padded)
    padded = found.padded if behind else found.alone
    besides = found.neighbours if _fails(found.neighbours) else found.reversed
    what, value = {
        PADDING: (
            "outputs behind 20 more padded positions move by"
            if behind
            else "outputs alone and in a batch differ by",
            padded,
        ),
        NEIGHBOURS: ("outputs in other company move by", besides),
        STATE: ("outputs move from one call to the next by", found.twice),
    }[kind]
    assert value is not None
    size = f"{value:.1f} deviations" if value < 1e6 else "more than can be told"
    return (Evidence(what, size, "0 is right; 0.001 is rounding"),)


BATCH_DEPENDENCE = Cause(
    "batch_dependence",
    "dependence on the batch",
    "function",
    examine,
    exclude,
    needs=("invariances",),
)
