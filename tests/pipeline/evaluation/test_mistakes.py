"""The most frequent mistake, and how far ratings are missed."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.evaluation.evaluation import Evaluation
from pipeline.evaluation.mistakes import (
    Mistake,
    mean_absolute_error,
    most_frequent_mistake,
    ratings,
)


def answered(labels: list[int], predicted: list[int], classes: int = 3) -> Evaluation:
    shares = np.eye(classes, dtype=np.float32)[predicted]
    return Evaluation("test", np.arange(len(labels)), np.array(labels), shares, shares)


def test_the_pair_that_is_confused_most() -> None:
    test = answered([0, 0, 0, 1, 1, 2], [1, 1, 0, 0, 1, 2])
    assert most_frequent_mistake(test, "abc") == Mistake("a", "b", 2, 3)
    assert most_frequent_mistake(answered([0, 1], [0, 1]), "abc") is None


def test_a_label_that_training_lacks_is_a_mistake_too() -> None:
    assert most_frequent_mistake(answered([3, 3], [0, 0]), "abcd") == Mistake("d", "a", 2, 2)


@pytest.mark.parametrize(
    ("names", "are"),
    [
        (("1", "3", "5"), True),
        (("-1", "0", "+1"), True),
        (("0", "1"), False),
        (("1", "2", "x"), False),
        (("1", "2.5", "3"), False),
        (("1", "01", "2"), False),
        (tuple(map(str, range(21))), False),
    ],
)
def test_ratings_are_whole_numbers_in_an_order(names: tuple[str, ...], are: bool) -> None:
    assert (ratings(names) is not None) is are


def test_how_far_ratings_are_missed() -> None:
    test = answered([0, 1, 2, 2], [0, 2, 0, 2])
    assert mean_absolute_error(test, ("1", "3", "5")) == pytest.approx((2 + 4) / 4)
    assert mean_absolute_error(test, ("a", "b", "c")) is None
