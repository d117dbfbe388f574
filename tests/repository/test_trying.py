"""Who tries changes without a doctor: in the full form, and after a brief run."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.doctor import case as cases
from benchmarks.doctor.case import Difference
from benchmarks.doctor.changes import Tried
from benchmarks.doctor.material import synthetic
from benchmarks.doctor.measures import DOCTOR, RANDOM, RATE, TRIED
from benchmarks.doctor.rivals import trying

SMALL = synthetic(240, 3, 6, 16, strength=5.0, spots=3, seed=1)


def test_trying_keeps_the_best_on_validation() -> None:
    tried = [
        Tried("rate / 10", "step_too_large", Difference(8.0, 1.0), 60.0, 2.0),
        Tried("relu", "dead_or_saturated", Difference(9.0, 1.0), 55.0, 3.0),
    ]
    said = trying.frequent(tried, 50.0, 10.0)
    assert said["causes"] == [["step_too_large"]]
    assert said["regained"] == pytest.approx(0.8)
    assert said["seconds"] == 5.0
    assert not trying.frequent(tried, 59.0, 10.0)["alarm"]
    assert trying.random(tried, 50.0, 10.0, 0.0, 1)["seconds"] in (2.0, 3.0)


def test_who_tries_changes_is_asked_after_a_brief_run() -> None:
    usual = {"refit": False, "min_steps": 40, "batch_size": 32, "dense": "16", "epochs": 3}
    own = cases.deal(SMALL, "mlp", {**usual, "learning_rate": 2e-5}, np.random.default_rng(0))
    run = {"record": "run", "case": "made", "seed": 1, "said": {DOCTOR: {"seconds": 0.0}}}
    line = trying.ask_afterwards(run, own, 20.0)
    said = line["said"]
    assert said[TRIED]["causes"] == [["step_too_small"]]
    assert said[TRIED]["regained"] > 0.8
    assert 0 < said[RANDOM]["seconds"] < said[TRIED]["seconds"]
    assert said[RATE]["causes"] == [["step_too_large", "step_too_small"]]
    assert said[DOCTOR] == run["said"][DOCTOR]
