"""What a squashed output costs in accuracy, told beside the proof that it is squashed.

A loss that cannot fall is proven by the loss. Whether it also keeps accuracy down is another
question: a public answer blamed the sigmoid for a head that had learned 63 % with it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pipeline.doctor.findings import CounterfactualResult, Finding, Verdict
from pipeline.doctor.foreign.case import ModuleCase
from pipeline.doctor.foreign.counterfactual import ChangedLoop
from pipeline.doctor.proving.judgement import LIKELIHOOD, judge
from pipeline.doctor.telling import difference_words

SQUASHED = "output_squashed"


def with_accuracy(verdict: Verdict, case: ModuleCase, missing: float) -> Verdict:
    """Return a verdict whose proven squashed output says what it costs in accuracy.

    The module was trained with logits for the proof, so this costs a second training at most.

    Args:
        verdict: of the examination.
        case: of the module.
        missing: what the best reference is ahead by.
    """
    findings = [
        _told(each, case, missing) if _is_proven(each) else each for each in verdict.findings
    ]
    return replace(verdict, findings=tuple(findings))


def _is_proven(finding: Finding) -> bool:
    return finding.cause == SQUASHED and finding.certainty == "proven"


def _told(finding: Finding, case: ModuleCase, missing: float) -> Finding:
    proof = finding.tried[0]
    loop: dict[str, Any] = {"reading": _reading(case)}
    trial = ChangedLoop(proof.change, tuple(loop.items())).run(case)
    (judged,) = judge([(trial, "rises")], missing)
    result = CounterfactualResult(
        change=proof.change,
        measure=judged.measure,
        before=judged.before,
        after=judged.after,
        interval=judged.interval,
        verdict=judged.outcome,
        seconds=round(trial.seconds, 1),
        texts=len(trial.before),
    )
    cost = difference_words(result)
    words = {
        "confirmed": f"it costs accuracy too: {cost}",
        "refuted": f"accuracy does not suffer: {cost}",
        "open": f"it is not shown to cost accuracy: {cost}",
    }[judged.outcome]
    if judged.measure == LIKELIHOOD:  # too few texts for accuracy to tell
        words = f"it makes the right class less likely: {cost}"
    explained = f"{finding.explanation}; {words}"
    return replace(finding, explanation=explained, tried=(*finding.tried, result))


def _reading(case: ModuleCase) -> str:
    """Return what the output was taken for in the training that proved it."""
    assert case.learned is not None
    own = case.learned.loop.reading
    return next(loop.reading for loop in case.trainings if loop.reading != own)
