"""A threshold for a wanted precision holds on new texts, as often as it claims."""

from __future__ import annotations

import numpy as np
import pytest

from features.errors import SettingError
from pipeline.evaluation.abstention import DELTA, accuracy_by_coverage, choose_abstention
from pipeline.evaluation.evaluation import Evaluation


def texts(count: int, seed: int, side: str = "validation") -> Evaluation:
    """Texts of two classes whose confidences are exactly true."""
    random = np.random.default_rng(seed)
    share = random.uniform(0.5, 1.0, count)
    labels = (random.random(count) < share).astype(np.int64)
    shares = np.stack([1 - share, share], axis=1).astype(np.float32)
    return Evaluation(side, np.arange(count), labels, shares, shares)


def true_precision(threshold: float) -> float:
    """Of texts above a confidence, uniform in (0.5, 1): the mean of their confidences."""
    return (max(threshold, 0.5) + 1) / 2


def test_the_precision_is_missed_no_more_often_than_claimed() -> None:
    missed, found = 0, 0
    for seed in range(200):
        try:
            rule = choose_abstention(0.9, texts(2000, seed), texts(50, 1000 + seed, "test"))
        except SettingError:
            continue
        found += 1
        missed += true_precision(rule.threshold) < 0.9
    assert found > 100
    assert missed <= DELTA * found


def test_more_texts_give_more_coverage_up_to_the_best() -> None:
    best = 0.4  # above a confidence of 0.8, labels are right for 0.9 of the texts
    shares = [
        choose_abstention(0.9, texts(count, 3), texts(99, 4)).validation.share
        for count in (2000, 20_000)
    ]
    assert shares[0] <= shares[1] <= best + 0.02
    assert shares[1] > 0.3


def test_what_is_said_is_counted() -> None:
    validation, test = texts(3000, 5), texts(2000, 6, "test")
    rule = choose_abstention(0.85, validation, test)
    above = test.probabilities.max(axis=1) > rule.threshold
    assert rule.test.labelled == above.sum()
    assert rule.test.right == (above & test.right).sum()
    low, high = rule.validation.share_interval
    assert low < rule.validation.share < high
    assert (rule.abstained(test.probabilities.max(axis=1)) == ~above).all()
    assert "to be right for 85% of the texts" in rule.line()


@pytest.mark.parametrize(
    ("wanted", "count", "said"),
    [
        (0.99, 300, "needs 437 validation texts or more"),
        (0.985, 500, "no confidence of the run is shown to reach"),
        (0.0, 10, "above 0 and below 1"),
        (float("nan"), 10, "above 0 and below 1"),
    ],
)
def test_what_cannot_be_shown_is_one_line(wanted: float, count: int, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        choose_abstention(wanted, texts(count, 1), texts(50, 2))


def test_right_for_all_texts_labels_all() -> None:
    sure = np.full((200, 2), 0.5, np.float32)  # every confidence is the same
    side = Evaluation("validation", np.arange(200), np.zeros(200, np.int64), sure, sure)
    rule = choose_abstention(0.95, side, side)
    assert rule.threshold == 0
    assert rule.validation.share == 1


def test_accuracy_falls_with_coverage() -> None:
    table = accuracy_by_coverage(texts(5000, 7))
    assert table[0][0] == 1.0
    accuracies = [accuracy for _, accuracy in table]
    assert accuracies[0] == pytest.approx(0.75, abs=0.03)
    assert accuracies == sorted(accuracies)
