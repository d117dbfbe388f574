"""The order of classes that fits predictions best."""

from __future__ import annotations

import numpy as np

from heads.evaluation.assignment import best_assignment


def test_shuffled_classes_are_put_in_order() -> None:
    labels = np.random.default_rng(0).integers(0, 5, 300)
    order = np.array([3, 0, 4, 1, 2])
    predicted = order.argsort()[labels]  # output i means class order[i]
    predicted[:30] = 0
    found = best_assignment(labels, predicted, 5)
    assert found.classes.tolist() == order.tolist()
    assert found.accuracy > 0.9
    assert found.gain > 0.6


def test_right_predictions_gain_nothing() -> None:
    labels = np.array([0, 1, 2, 2])
    found = best_assignment(labels, labels, 4)
    assert found.gain == 0.0
    assert found.classes[:3].tolist() == [0, 1, 2]
