"""How far classes lie apart, against chance."""

from __future__ import annotations

import numpy as np

from pipeline.doctor.measuring.classes import closest_classes, means_z


def test_means_of_classes_show_what_neighbours_do_not() -> None:
    random = np.random.default_rng(5)
    labels = random.permutation(np.arange(600) % 6)
    vectors = random.normal(size=(600, 64)) + 0.4 * random.normal(size=(6, 64))[labels]
    weak = (0.55 * vectors).astype(np.float32)
    found = means_z(weak, labels)
    assert found is not None
    assert found > 5
    shuffled = means_z(weak, random.permutation(labels))
    assert shuffled is not None
    assert abs(shuffled) < 3
    assert means_z(weak, np.zeros(600, np.int64)) is None


def test_two_names_of_one_class_lie_closest() -> None:
    random = np.random.default_rng(9)
    labels = random.integers(0, 4, 600)
    vectors = random.normal(size=(600, 16)) + random.normal(size=(4, 16))[labels]
    found = closest_classes(vectors, labels)
    assert found["closest_z"] > 8
    halves = np.where((labels == 1) & (random.random(600) < 0.5), 4, labels)
    found = closest_classes(vectors, halves)
    assert found["closest"] == (1, 4)
    assert abs(found["closest_z"]) < 3
    assert found["usual_z"] > 8
    assert closest_classes(vectors, (labels == 0).astype(np.int64)) == {}
