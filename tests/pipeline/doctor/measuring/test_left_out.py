"""A ridge regression of all other texts, in one decomposition."""

from __future__ import annotations

import numpy as np

from pipeline.doctor.measuring.left_out import left_out_errors


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
