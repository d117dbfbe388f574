"""Paired comparisons against other ways to compute them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from heads.evaluation.metrics import answers_differ, mcnemar
from heads.evaluation.paired import holm, paired, paired_seeds


def rights(both: int, first: int, second: int, none: int) -> tuple[np.ndarray, np.ndarray]:
    """Two heads, by how many texts both, only one or none get right."""
    one = np.repeat([True, True, False, False], [both, first, second, none])
    other = np.repeat([True, False, True, False], [both, first, second, none])
    return one, other


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 0), (12, 3), (3, 12), (40, 41)])
def test_mcnemar_is_the_exact_binomial_test(first: int, second: int) -> None:
    one, other = rights(50, first, second, 7)
    expected = binomtest(first, first + second, 0.5).pvalue if first + second else 1.0
    assert mcnemar(one, other) == pytest.approx(expected)
    assert answers_differ(one, other) == (expected < 0.05)


def test_a_pair_is_compared_text_by_text() -> None:
    one, other = rights(50, 30, 10, 10)
    found = paired(one, other)
    assert (found.difference, found.first_only, found.second_only) == (0.2, 30, 10)
    low, high = found.interval
    half = 1.96 * np.std(one.astype(float) - other) / 10
    assert (low, high) == pytest.approx((0.2 - half, 0.2 + half), abs=0.02)
    back = paired(other, one)
    assert (back.difference, back.p) == (-0.2, found.p)


def test_seeds_widen_the_interval() -> None:
    random = np.random.default_rng(0)
    first = random.random((5, 400)) < np.array([0.8, 0.7, 0.75, 0.9, 0.85])[:, None]
    second = random.random((3, 400)) < np.array([0.7, 0.6, 0.65])[:, None]
    found = paired_seeds(first, second)
    assert found is not None
    mean, (low, high) = found
    assert mean == pytest.approx(first.mean() - second.mean())
    gaps = first.mean(axis=0) - second.mean(axis=0)
    by_texts = 1.96 * gaps.std() / 20
    assert high - mean == pytest.approx(mean - low)
    assert high - mean > by_texts
    assert paired_seeds(first[:1], second) is None
    # Seeds that are equally good leave the chance of the texts alone.
    same, others = np.tile(first[:1], (2, 1)), np.tile(second[:1], (4, 1))
    mean, (low, high) = paired_seeds(same, others)  # type: ignore[misc]
    assert high - mean == pytest.approx(1.96 * (first[0].astype(float) - second[0]).std() / 20)


def test_holm_corrects_for_the_number_of_tests() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([0.6, 0.001]) == pytest.approx((0.6, 0.002))
    assert holm([0.7, 0.8]) == (1.0, 1.0)
    assert (holm([0.04]), holm([])) == ((0.04,), ())
