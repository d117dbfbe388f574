"""What a brief run of the doctor's benchmark leaves open is settled by trainings."""

from __future__ import annotations

import numpy as np

from benchmarks.doctor import case as cases
from benchmarks.doctor.candidates.faults import TUNE
from benchmarks.doctor.case import Trial
from benchmarks.doctor.material import synthetic
from benchmarks.doctor.measures import DOCTOR, EXCLUDED, FAULT, HEALTHY
from benchmarks.doctor.settling import disputed, settle

SMALL = synthetic(240, 3, 6, 16, strength=5.0, spots=3, seed=1)


def truth(case: str, kind: str, **others: object) -> dict[str, object]:
    return {"record": "truth", "case": case, "kind": kind, "right": [], "tried": [], **others}


def test_what_was_named_and_not_seeded_is_disputed_once() -> None:
    said = {"alarm": True, "causes": [["overfit"], ["step_too_large"]]}
    runs = [
        {"record": "run", "case": case, "seed": 0, "said": {DOCTOR: said}} for case in "abcd"
    ]
    truths = [
        truth("a", FAULT, right=["overfit"]),
        truth("b", HEALTHY),
        truth("c", HEALTHY, settled=[{"name": "clip"}]),
        truth("d", HEALTHY, tried=[{"name": "clip"}]),
    ]
    found = disputed([*truths, *runs])
    assert found == {"a": {"step_too_large"}, "b": {"overfit", "step_too_large"}}


def test_a_cause_whose_change_helps_is_settled_as_right() -> None:
    def small(**settings: object) -> Trial:
        usual = {"refit": False, "min_steps": 60, "batch_size": 32, "dense": "16"}
        return cases.deal(SMALL, "mlp", {**usual, **settings}, np.random.default_rng(0))

    slow, sound = small(learning_rate=2e-5), small()
    case = cases.Case("made", TUNE, ("unstable",), lambda *_: cases.Pair(slow, sound))
    named = {"step_too_small"}
    fault = truth("made", FAULT, lost=20.0)
    assert "step_too_small" in settle(case, cases.Pair(slow, sound), fault, named, [0])["right"]
    ill = settle(case, cases.Pair(slow, slow), truth("made", HEALTHY), named, [0, 1, 2])
    assert ill["kind"] == EXCLUDED
    assert ill["better"]["gain"]["points"] > 2
    assert ill["settled"]
