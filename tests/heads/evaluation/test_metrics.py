"""Metrics by hand and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as oracle

from heads.evaluation import metrics

TRUTH = np.array([0, 0, 1, 1, 2, 3])
ANSWERS = np.array([0, 1, 1, 1, 0, 2])


def test_by_hand() -> None:
    assert metrics.accuracy(TRUTH, ANSWERS) == 3 / 6
    # Class 0: 1 hit, 2 + 2 occurrences. Class 1: 2 hits, 2 + 3. Class 2: none. Class 3: none.
    assert metrics.macro_f1(TRUTH, ANSWERS) == pytest.approx((2 / 4 + 4 / 5 + 0 + 0) / 4)
    expected = [[1, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0]]
    assert metrics.confusion(TRUTH, ANSWERS, 4).tolist() == expected


def test_a_class_that_training_never_saw_scores_as_an_error() -> None:
    logits = np.array([[4.0, 0.0], [0.0, 4.0], [4.0, 0.0]])
    labels = np.array([0, 1, 2])
    predicted = logits.argmax(axis=1)
    assert metrics.accuracy(labels, predicted) == pytest.approx(2 / 3)
    assert metrics.macro_f1(labels, predicted) == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert metrics.log_loss(labels, logits) == pytest.approx(np.log1p(np.exp(-4.0)))
    assert np.isnan(metrics.log_loss(labels + 2, logits))
    with pytest.raises(ValueError, match="must be below classes = 2, but 2 occurs"):
        metrics.confusion(labels, predicted, 2)


@given(pairs=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1))
def test_as_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    labels, predicted = np.array(pairs).T
    f1 = oracle.f1_score(labels, predicted, average="macro", zero_division=0.0)
    assert metrics.macro_f1(labels, predicted) == pytest.approx(f1, abs=1e-12)
    assert metrics.accuracy(labels, predicted) == oracle.accuracy_score(labels, predicted)
    matrix = oracle.confusion_matrix(labels, predicted, labels=range(7))
    assert np.array_equal(metrics.confusion(labels, predicted, 7), matrix)


@given(pairs=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1))
def test_class_counts_as_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    labels, predicted = np.array(pairs).T
    counts = metrics.class_counts(labels, predicted, 7)
    _, _, f1, support = oracle.precision_recall_fscore_support(
        labels, predicted, labels=range(7), zero_division=0.0
    )
    assert np.array_equal(counts.truths, support)
    occurring = counts.truths + counts.answers > 0
    assert np.allclose(counts.f1[occurring], f1[occurring], atol=1e-12)
    assert np.all(np.isnan(counts.f1[~occurring]))


def test_log_loss_as_scikit_learn_and_without_overflow() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=(50, 4)) * 5
    labels = np.arange(50) % 4
    powers = np.exp(logits)
    expected = oracle.log_loss(labels, powers / powers.sum(axis=1, keepdims=True))
    assert metrics.log_loss(labels, logits) == pytest.approx(expected, abs=1e-12)
    large = np.array([[1e4, 0.0]], dtype=np.float32)
    assert metrics.log_loss(np.array([1]), large) == pytest.approx(1e4)


def test_interval_is_wilsons() -> None:
    for right, texts in ((320, 400), (19, 20), (1, 126), (10, 10), (0, 7)):
        labels = np.zeros(texts, dtype=np.int64)
        predicted = (np.arange(texts) >= right).astype(np.int64)
        oracle = stats.binomtest(right, texts).proportion_ci(0.95, method="wilson")
        got = metrics.accuracy_interval(labels, predicted)
        assert got == pytest.approx((oracle.low, oracle.high), abs=1e-12)
        assert 0 <= got[0] <= right / texts <= got[1] <= 1


@pytest.mark.parametrize(("texts", "truth"), [(500, 0.7), (20, 0.95), (50, 0.98), (180, 0.98)])
def test_interval_covers_the_truth_about_as_often_as_it_says(texts: int, truth: float) -> None:
    random = np.random.default_rng(0)
    covered = 0
    labels = np.zeros(texts, dtype=np.int64)
    for _ in range(600):
        right = random.random(texts) < truth
        lower, upper = metrics.accuracy_interval(labels, (~right).astype(np.int64))
        covered += lower <= truth <= upper
    print(f"covered: {covered / 600:.3f}")
    assert 0.91 <= covered / 600 <= 0.98


def test_shares_of_one_head_have_the_interval_of_an_accuracy() -> None:
    right = np.arange(50) < 49
    wilson = metrics.accuracy_interval(np.zeros(50, np.int64), (~right).astype(np.int64))
    assert metrics.share_interval(right.astype(float)) == wilson
    shares = np.where(right, 0.8, 0.2)
    assert metrics.share_interval(shares) == metrics.mean_interval(shares)


def test_interval_of_a_mean_is_the_bootstrap_over_texts() -> None:
    random = np.random.default_rng(3)
    shares = random.integers(0, 6, size=300) / 5
    lower, upper = metrics.mean_interval(shares, seed=1)
    draws = shares[random.integers(0, 300, size=(4000, 300))].mean(axis=1)
    expected = np.quantile(draws, [0.025, 0.975])
    assert np.abs(np.array([lower, upper]) - expected).max() < 0.006
    assert metrics.mean_interval(np.full(9, 0.4)) == (pytest.approx(0.4), pytest.approx(0.4))


def test_differing_is_pearsons_test() -> None:
    right, texts = np.array([50, 70, 65]), np.array([100, 100, 100])
    # By hand: expected 61.67 a group, variance 23.64, statistic (136.1 + 69.4 + 11.1) / 23.64.
    assert stats.chi2.sf(216.67 / 23.64, df=2) == pytest.approx(0.0102, abs=1e-4)
    assert metrics.differ(right, texts, level=0.011)
    assert not metrics.differ(right, texts, level=0.010)
    assert not metrics.differ(np.array([9, 9]), np.array([9, 9]))
    assert not metrics.differ(np.array([9]), np.array([10]))


@pytest.mark.parametrize(
    ("right", "texts"), [((0, 190), (2, 198)), ((1, 97), (3, 100)), ((40, 3), (44, 8))]
)
def test_few_texts_are_compared_by_fishers_exact_test(
    right: tuple[int, int], texts: tuple[int, int]
) -> None:
    one, other = np.array(right), np.array(texts)
    p = stats.fisher_exact(np.stack([one, other - one])).pvalue
    assert metrics.differ(one, other, level=p * 1.001)
    assert not metrics.differ(one, other, level=p * 0.999)


def test_a_few_copies_are_rarely_said_to_flatter() -> None:
    random = np.random.default_rng(0)
    texts = np.array([3, 197])
    found = sum(metrics.differ(random.binomial(texts, 0.95), texts) for _ in range(1000))
    assert found <= 50  # 5 %


def test_answers_of_two_heads_are_compared_by_the_exact_mcnemar_test() -> None:
    one, other = np.ones(100, bool), np.ones(100, bool)
    one[:9], other[9:11] = False, False
    p = stats.binomtest(2, 11).pvalue
    assert metrics.answers_differ(one, other, level=p * 1.001)
    assert not metrics.answers_differ(other, one, level=p * 0.999)
    assert not metrics.answers_differ(one, one)


def test_groups_that_do_not_differ_are_rarely_said_to() -> None:
    random = np.random.default_rng(0)
    texts = np.array([60, 90, 120, 80])
    found = sum(metrics.differ(random.binomial(texts, 0.7), texts) for _ in range(1000))
    assert 25 <= found <= 80  # 5 %
