"""Labels and neighbours: chance, a slip from a row on, and what looks like one."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.doctor.measuring.labels.neighbours import (
    Neighbourhood,
    by_position,
    moved_labels,
    neighbourhood,
    neighbours_of,
)

TEXTS, CLASSES = 800, 5


@pytest.fixture(scope="module")
def file() -> tuple[Neighbourhood, np.ndarray]:
    """Unit vectors around the centers of five classes in random order, and their labels."""
    random = np.random.default_rng(0)
    labels = random.integers(0, CLASSES, TEXTS)
    vectors = random.normal(size=(CLASSES, 16))[labels] + random.normal(size=(TEXTS, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return neighbourhood(vectors.astype(np.float32), np.arange(TEXTS)), labels


def test_labels_of_these_texts_agree(file: tuple[Neighbourhood, np.ndarray]) -> None:
    around, labels = file
    found = neighbours_of(around, labels)
    assert found.agreement > 0.6
    assert found.expected == pytest.approx(0.2, abs=0.02)
    assert found.z > 30
    assert (found.break_row, found.offset) == (None, None)


def test_shuffled_labels_agree_by_chance(file: tuple[Neighbourhood, np.ndarray]) -> None:
    around, labels = file
    found = neighbours_of(around, np.random.default_rng(1).permutation(labels))
    assert abs(found.z) < 3
    assert (found.break_row, found.offset) == (None, None)


@pytest.mark.parametrize(("first", "offset"), [(400, 1), (250, -2), (600, 3)])
def test_a_slip_is_found_with_its_row_and_offset(
    file: tuple[Neighbourhood, np.ndarray], first: int, offset: int
) -> None:
    around, labels = file
    found = neighbours_of(around, moved_labels(labels, offset, first))
    assert found.break_row is not None
    assert abs(found.break_row - first) < 30
    assert found.offset == -offset
    assert found.offset_agreement is not None
    assert found.offset_agreement > 0.5
    assert found.z_after is not None
    assert abs(found.z_after) < 4


def test_agreement_along_the_file_falls_where_labels_slip_and_comes_back_moved(
    file: tuple[Neighbourhood, np.ndarray],
) -> None:
    around, labels = file
    parts = by_position(around, moved_labels(labels, 1, 400), -1, 400)
    assert len(parts) == 40
    rows = [row for row, _, _ in parts]
    assert rows == sorted(rows)
    own = np.array([share for _, share, _ in parts])
    moved = np.array([share for _, _, share in parts])
    # neighbours behind the slip are wrong for the texts before it, too
    assert own[:20].mean() > own[20:].mean() + 0.1
    assert own[20:].mean() == pytest.approx(0.2, abs=0.06)
    assert min(moved[:20].mean(), moved[20:].mean()) > 0.6
    assert by_position(around, labels, None, 0)[0][2] is None


def test_a_slip_of_the_whole_file_has_no_break(file: tuple[Neighbourhood, np.ndarray]) -> None:
    around, labels = file
    found = neighbours_of(around, moved_labels(labels, 1, 0))
    assert found.break_row is None
    assert found.offset == -1


def test_a_sorted_file_with_classes_unlike_each_other_has_no_break() -> None:
    random = np.random.default_rng(3)
    labels = np.sort(random.integers(0, CLASSES, TEXTS))
    spread = np.linspace(0.3, 3.0, CLASSES)[labels]  # the last classes are hard
    centers = random.normal(size=(CLASSES, 16))[labels]
    vectors = centers + random.normal(size=(TEXTS, 16)) * spread[:, None]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    around = neighbourhood(vectors.astype(np.float32), np.arange(TEXTS))
    assert neighbours_of(around, labels).break_row is None


def test_copies_of_a_text_are_no_witnesses() -> None:
    random = np.random.default_rng(4)
    vectors = random.normal(size=(100, 8)).repeat(3, axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    around = neighbourhood(vectors.astype(np.float32), np.arange(300))
    labels = random.integers(0, 3, 100).repeat(3)  # each copy has the label of its text
    assert abs(neighbours_of(around, labels).z) < 4


def test_a_frequent_class_does_not_hide_a_rare_one() -> None:
    random = np.random.default_rng(6)
    labels = (np.arange(700) % 33 == 0).astype(np.int64)
    vectors = random.normal(size=(700, 16))
    vectors[labels == 1] += 0.9
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    around = neighbourhood(unit.astype(np.float32), np.arange(700))
    found = neighbours_of(around, labels)
    assert found.balanced_z is not None
    assert found.strongest == found.balanced_z > 5
    none = neighbours_of(around, random.permutation(labels))
    assert none.strongest < 3


def test_labels_that_belong_only_from_a_row_on_are_found(
    file: tuple[Neighbourhood, np.ndarray],
) -> None:
    around, labels = file
    shuffled = labels.copy()
    shuffled[:500] = np.random.default_rng(2).permutation(labels[:500])
    found = neighbours_of(around, shuffled)
    assert found.rises
    assert found.break_row is not None
    assert abs(found.break_row - 500) < 30
    assert found.z_before is not None
    assert abs(found.z_before) < 4
    assert found.z_after is not None
    assert found.z_after > 5
    assert found.offset is None
