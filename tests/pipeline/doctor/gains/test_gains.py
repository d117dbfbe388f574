"""Learning curves and their promise; measured gains, best first."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.doctor.gains.curve import extrapolate, part_of
from pipeline.doctor.gains.gain import Gain, Gains, by_gain
from pipeline.doctor.gains.measuring import measure_gains, suspected_rows
from tests.support.doctor.cases import trained_case
from tests.support.tables import cluster_problem, marker_problem


def rights(errors: tuple[float, ...], texts: int = 400, trainings: int = 3) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    hard = random.random(texts)
    return [np.stack([hard >= error] * trainings) for error in errors]


def test_a_power_law_goes_on() -> None:
    curve = extrapolate((100, 200, 400), rights((0.40, 0.30, 0.225)))
    assert curve.gain == pytest.approx(0.225 * 0.25, abs=0.015)
    assert curve.interval[0] < curve.gain < curve.interval[1]
    assert curve.interval[0] > 0


def test_a_flat_curve_promises_nothing() -> None:
    curve = extrapolate((100, 200, 400), rights((0.2, 0.2, 0.2)))
    assert curve.gain == pytest.approx(0)
    falling = extrapolate((100, 200, 400), rights((0.2, 0.2, 0.3)))
    assert falling.gain == pytest.approx(
        0
    )  # worse with more texts: a promise of harm would be noise
    right = extrapolate((100, 200, 400), rights((0.0, 0.0, 0.0)))
    assert right.promised <= 1.0


def test_a_part_keeps_every_class() -> None:
    labels = np.array([0] * 40 + [1] * 8 + [2])
    rows = np.arange(49)
    part = part_of(labels, rows, 0.25, np.random.default_rng(0))
    assert np.bincount(labels[part]).tolist() == [10, 2, 1]
    assert part_of(labels, rows, 1.0, np.random.default_rng(0)) is rows


def test_gains_are_sorted_by_what_is_sure() -> None:
    gains = [
        Gain("a", "a", "not measured"),
        Gain("b", "b", "bounded", 0.3, (0.0, 0.3)),
        Gain("c", "c", "measured", 0.02, (-0.01, 0.05)),
        Gain("d", "d", "measured", 0.01, (0.005, 0.02)),
        Gain("e", "e", "extrapolated", 0.04, (0.01, 0.08)),
    ]
    ordered = by_gain(gains)
    assert [each.name for each in ordered] == ["e", "d", "c", "b", "a"]
    told = Gains(ordered, 0.8, 3, 200, None, 1.0)
    assert told.conclusion == "Most: e, +4.0 points (+1.0 to +8.0)."
    assert "at most +30.0" in told.to_text()
    nothing = Gains(by_gain(gains[:3]), 0.8, 3, 200, None, 1.0)
    assert nothing.conclusion == "Nothing that was measured helps beyond noise."


def test_gains_of_a_case_in_memory() -> None:
    case = trained_case(marker_problem(), "meanmax", epochs=5, learning_rate=0.02)
    found = measure_gains(case)
    assert {each.name for each in found.gains} >= {"texts", "members"}
    assert found.curve is not None
    assert found.curve.texts[-1] == len(case.train)
    assert found.to_dict()["curve"]["texts"][-1] == len(case.train)
    assert "What would help most?" in found.to_text()


def test_flipped_labels_are_suspected_and_test_is_left_alone() -> None:
    problem = cluster_problem(texts=300, spread=0.5)
    flipped = np.concatenate([problem.train[:8], problem.validation[:4]])
    problem.labels[flipped] = (problem.labels[flipped] + 1) % 3
    case = trained_case(problem, "logistic")
    both = np.concatenate([problem.train, problem.validation])
    found_rows = set(suspected_rows(case, both).tolist())
    assert len(found_rows & set(flipped.tolist())) >= 8
    assert len(found_rows) <= 16
    alone = suspected_rows(case, problem.train)
    assert set(alone) <= set(problem.train)
    assert len(set(alone) & set(flipped[:8])) >= 5
    found = measure_gains(case)
    bound = next(each for each in found.gains if each.name == "validation labels")
    assert bound.how == "bounded"
    assert bound.points is not None
    assert 0 < bound.points <= 5 / len(problem.validation)
