"""How far classes lie apart, against chance."""

from __future__ import annotations

import numpy as np

from pipeline.doctor.measuring.labels.classes import closest_classes, left_out_errors, means_z


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


def test_errors_of_texts_left_out_are_those_of_as_many_fits() -> None:
    random = np.random.default_rng(3)
    vectors = random.normal(size=(40, 6))
    first = vectors[:, 0] + random.normal(size=40) > 0.3
    moved = vectors - vectors.mean(axis=0)
    scaled = moved / moved.std(axis=0)
    penalty = (scaled**2).sum() / 40
    known = np.hstack([scaled, np.full((40, 1), np.sqrt(penalty))])
    target = np.where(first, 1.0, -1.0)
    wrong = 0
    for row in range(40):
        others = np.arange(40) != row
        square = known[others].T @ known[others] + penalty * np.eye(7)
        weights = np.linalg.solve(square, known[others].T @ target[others])
        wrong += int(known[row] @ weights * target[row] <= 0)
    assert left_out_errors(vectors, first) == wrong
    assert 0 < wrong < 20
    # More columns than texts, and labels that belong to none.
    wide = random.normal(size=(80, 200))
    assert 25 <= left_out_errors(wide, np.arange(80) % 2 == 0) <= 55
