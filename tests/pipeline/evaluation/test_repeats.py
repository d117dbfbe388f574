"""Mean, deviation and intervals over repeats, by hand and by drawing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pipeline.evaluation.evaluation import Evaluation, pooled
from pipeline.evaluation.repeats import estimate, fold_spread, seed_spread


def evaluation(labels: list[int], predicted: list[int], first_row: int = 0) -> Evaluation:
    rows = np.arange(first_row, first_row + len(labels))
    probabilities = np.eye(3, dtype=np.float32)[predicted]
    return Evaluation("test", rows, np.array(labels), probabilities, probabilities)


def test_estimate_by_hand() -> None:
    found = estimate([0.6, 0.7, 0.8])
    assert found.mean == pytest.approx(0.7)
    assert found.deviation == pytest.approx(0.1)
    half = 4.302653 * 0.1 / 3**0.5  # the t of 2 degrees of freedom from a table
    assert found.interval == pytest.approx((0.7 - half, 0.7 + half), abs=1e-6)
    assert found.values == (0.6, 0.7, 0.8)


def test_an_interval_stays_within_0_and_1() -> None:
    assert estimate([0.99, 0.2]).interval == (0.0, 1.0)
    assert estimate([0.5, 0.5]).interval == (0.5, 0.5)


def test_the_interval_over_seeds_covers_the_mean_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    draws = random.normal(0.7, 0.02, size=(2000, 5))
    covered = 0
    for values in draws:
        low, high = estimate(values.tolist()).interval
        covered += low <= 0.7 <= high
    print(f"covered: {covered / 2000:.3f}")
    assert 0.935 <= covered / 2000 <= 0.965


def test_over_seeds_and_over_texts_are_two_things() -> None:
    labels = [0, 1, 2, 0, 1, 2, 0, 1]
    first = evaluation(labels, [0, 1, 2, 0, 1, 2, 1, 0])  # 6 of 8
    second = evaluation(labels, [0, 1, 2, 0, 1, 2, 2, 2])  # 6 of 8 again
    found = seed_spread([first, second])
    assert found.accuracy.values == (0.75, 0.75)
    assert found.accuracy.interval == (0.75, 0.75)
    low, high = found.texts_interval
    assert low < 0.75 < high
    right = stats.binom(8, 0.75).ppf([0.025, 0.975]) / 8
    assert (low, high) == pytest.approx(tuple(right), abs=0.13)


def test_over_folds_by_hand() -> None:
    one = [evaluation([0, 1, 2, 0], [0, 1, 2, 1]), evaluation([0, 1, 2, 0], [0, 1, 0, 1])]
    two = [evaluation([0, 1], [0, 1], 4), evaluation([0, 1], [1, 1], 4)]
    found = fold_spread([one, two], 1.0)
    assert found.accuracy.values == pytest.approx(((0.75 + 0.5) / 2, (1.0 + 0.5) / 2))
    deviation = np.std([0.625, 0.75], ddof=1)
    assert found.accuracy.deviation == pytest.approx(deviation)
    # Nadeau and Bengio: 1 / 2 of the folds, and 1 tested text for each other.
    assert found.accuracy.interval == (0.0, 1.0)
    half = 12.7062 * deviation * (1 / 2 + 1) ** 0.5
    assert half > 0.7  # so the bounds above are those of a share


def test_a_text_with_several_answers_counts_once() -> None:
    folds = [evaluation([0, 1, 2] * 20, [0, 1, 2] * 10 + [0, 0, 0] * 10) for _ in range(4)]
    one, all_folds = folds[0].score(), pooled(folds).score()
    assert all_folds.texts == one.texts == 60
    assert all_folds.accuracy == pytest.approx(one.accuracy)
    widths = [high - low for low, high in (one.accuracy_interval, all_folds.accuracy_interval)]
    assert widths[1] == pytest.approx(widths[0], rel=0.1), "the same answers tell no more"
    other = evaluation([0, 1], [1, 1])
    assert pooled([evaluation([0, 1], [0, 1]), other]).score().accuracy == pytest.approx(0.75)


def test_pooling_keeps_every_text() -> None:
    one, two = evaluation([0, 1], [0, 0]), evaluation([2], [2], first_row=7)
    both = pooled([one, two])
    assert both.rows.tolist() == [0, 1, 7]
    assert both.labels.tolist() == [0, 1, 2]
    assert both.predicted.tolist() == [0, 0, 2]
    assert both.right.tolist() == [True, False, True]
    assert both.score().accuracy == pytest.approx(2 / 3)
    assert pooled([one]) is one
