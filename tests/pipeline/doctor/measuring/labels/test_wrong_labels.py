"""How many labels are wrong, told apart from texts that are hard."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.duplicates.duplicates import find_duplicates
from pipeline.doctor.case import Case
from pipeline.doctor.measuring.labels.regression import left_out_scores
from pipeline.doctor.measuring.labels.wrong_labels import (
    judged_rows,
    measure_wrong_labels,
    wrong_labels,
)
from tests.support import corpora
from tests.support.doctor.cases import trained_case
from tests.support.tables import cluster_problem

TEXTS, CLASSES = 400, 5


def clusters(apart: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors around the means of their classes, and the class ids."""
    random = np.random.default_rng(seed)
    labels = np.arange(TEXTS) % CLASSES
    means = random.normal(size=(CLASSES, 40))
    vectors = apart * means[labels] + random.normal(size=(TEXTS, 40))
    return vectors.astype(np.float32), labels


def flipped(labels: np.ndarray, share: float, seed: int = 1) -> np.ndarray:
    """Return labels of which a share is any other one."""
    random = np.random.default_rng(seed)
    wrong = random.random(len(labels)) < share
    moved = labels + random.integers(1, CLASSES, len(labels))
    return np.where(wrong, moved % CLASSES, labels)


@pytest.mark.parametrize("share", [0.12, 0.25, 0.4])
@pytest.mark.parametrize("apart", [0.4, 1.0])
def test_wrong_labels_are_counted(apart: float, share: float) -> None:
    vectors, labels = clusters(apart)
    found, doubt = wrong_labels(vectors, flipped(labels, share))
    assert found.share == pytest.approx(share, abs=0.08)
    assert found.least <= found.share <= found.most
    assert found.ratio > 4
    assert doubt.mean() == pytest.approx(found.share, abs=0.03)


@pytest.mark.parametrize("apart", [0.0, 0.2, 0.3, 0.4, 1.0])
def test_hard_texts_are_not_wrong(apart: float) -> None:
    found, _ = wrong_labels(*clusters(apart))
    assert found.ratio < 4 or found.share < 0.05


def test_two_classes_that_are_one_are_not_wrong() -> None:
    vectors, labels = clusters(1.0)
    halves = np.where(labels == 0, np.random.default_rng(2).integers(0, 2, TEXTS), labels)
    found, _ = wrong_labels(vectors, halves)
    assert found.share < 0.05


def test_labels_that_are_wrong_are_those_doubted() -> None:
    vectors, labels = clusters(1.0)
    noisy = flipped(labels, 0.25)
    _, doubt = wrong_labels(vectors, noisy)
    assert (noisy != labels)[doubt > 0.5].mean() > 0.9
    assert (doubt > 0.5)[noisy != labels].mean() > 0.9


def case_of(labels: np.ndarray, vectors: np.ndarray) -> Case:
    """Return a case of 300 training and 100 validation texts."""
    return replace(
        trained_case(cluster_problem(), "logistic"),
        pooled=vectors,
        labels=labels,
        classes=tuple("abcde"),
        train=np.arange(300),
        validation=np.arange(300, TEXTS),
        duplicates=None,
    )


def test_the_share_is_that_of_training() -> None:
    vectors, labels = clusters(1.0)
    noisy = np.where(np.arange(TEXTS) < 300, flipped(labels, 0.3), labels)
    case = case_of(noisy, vectors)
    found = measure_wrong_labels(case)
    assert found is not None
    assert found.share == pytest.approx(np.mean(noisy[:300] != labels[:300]), abs=0.03)
    judged = judged_rows(case, np.arange(TEXTS))
    assert judged is not None
    assert judged.of(case.validation).share < 0.05
    assert np.mean(judged.suspected < 300) > 0.95


def test_a_copy_explains_nothing() -> None:
    vectors, labels = clusters(1.0)
    twice = np.arange(TEXTS) // 2 * 2
    noisy = flipped(labels, 0.25)
    copies = case_of(noisy[twice], vectors[twice])
    texts = [corpora.sentence(row) for row in twice.tolist()]
    alone = replace(copies, duplicates=find_duplicates(texts, copies.pooled))
    judged = judged_rows(alone, np.arange(TEXTS))
    assert judged is not None
    assert judged.rows.tolist() == list(range(0, TEXTS, 2))
    assert judged.found.share == pytest.approx(0.25, abs=0.08)


def test_few_texts_say_nothing() -> None:
    vectors, labels = clusters(1.0)
    assert judged_rows(case_of(labels, vectors), np.arange(99)) is None
    alike = case_of(np.zeros(TEXTS, np.int64), vectors)
    assert judged_rows(alike, np.arange(TEXTS)) is None


def test_scores_are_those_of_as_many_fits_at_every_penalty() -> None:
    vectors, labels = clusters(0.5)
    own, ids = vectors[:30].astype(np.float64), labels[:30]
    scaled = (own - own.mean(axis=0)) / own.std(axis=0)
    square = float((scaled**2).sum()) / 30
    wide = np.hstack([scaled, np.full((30, 1), np.sqrt(square))])
    kept = np.arange(30) != 7
    for penalty, scores in zip(
        (1.0, 10.0), left_out_scores(own, ids, (1.0, 10.0)), strict=True
    ):
        gram = wide[kept].T @ wide[kept] + penalty * square * np.eye(41)
        weights = np.linalg.solve(gram, wide[kept].T @ np.eye(CLASSES)[ids[kept]])
        assert np.allclose(scores[7], wide[7] @ weights)
