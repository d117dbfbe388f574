"""A score taken apart, by hand."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from pipeline.evaluation.breakdown import (
    by_length,
    by_truncation,
    class_scores,
    collapse,
    write_classes,
)
from pipeline.evaluation.evaluation import Evaluation


def evaluation(
    labels: list[int] | np.ndarray, predicted: list[int] | np.ndarray, classes: int = 3
) -> Evaluation:
    probabilities = np.eye(classes, dtype=np.float32)[predicted]
    rows = np.arange(len(labels))
    return Evaluation("test", rows, np.asarray(labels), probabilities, probabilities)


def test_classes_as_scikit_learn() -> None:
    random = np.random.default_rng(0)
    labels, predicted = random.integers(0, 3, 50), random.integers(0, 3, 50)
    scores = class_scores(evaluation(labels, predicted), ("a", "b", "c"))
    expected = precision_recall_fscore_support(labels, predicted)
    for score, *measures in zip(scores, *expected, strict=True):
        found = (score.precision, score.recall, score.f1, score.support)
        assert found == pytest.approx(tuple(measures))
    assert sum(score.predicted for score in scores) == 50
    assert [score.label for score in scores] == ["a", "b", "c"]


def test_classes_of_which_nothing_is_known_say_nothing(tmp_path: Path) -> None:
    # c is never predicted, d has neither texts nor predictions, e is unknown in training.
    test = evaluation([0, 0, 1, 2, 4], [0, 1, 1, 0, 0], classes=4)
    a, b, c, d, e = class_scores(test, ("a", "b", "c, or d", "d", "e"))
    assert (a.precision, a.recall, a.support, a.predicted) == (1 / 3, 1 / 2, 2, 3)
    assert (b.precision, b.recall) == (1 / 2, 1.0)
    assert (c.precision, c.recall, c.f1) == (None, 0.0, 0.0)
    assert (d.precision, d.recall, d.f1) == (None, None, None)
    assert (e.precision, e.recall, e.f1, e.support) == (None, 0.0, 0.0, 1)
    write_classes(tmp_path / "classes.csv", (a, b, c, d, e))
    with (tmp_path / "classes.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["a", "b", "c, or d", "d", "e"]
    assert (rows[0]["recall"], rows[3]["f1"], rows[2]["support"]) == ("0.5", "", "1")


def test_length_in_equal_parts_and_a_planted_slope() -> None:
    tokens = np.arange(400) + 3
    long = np.arange(400) >= 300
    predicted = np.where(long & (np.arange(400) % 2 == 0), 1, 0)
    parts = by_length(evaluation(np.zeros(400, np.int64), predicted), tokens)
    assert [part.texts for part in parts.parts] == [100, 100, 100, 100]
    assert parts.parts[0].tokens == (3, 102)
    assert parts.parts[3].tokens == (303, 402)
    assert [part.accuracy for part in parts.parts] == [1.0, 1.0, 1.0, 0.5]
    low, high = parts.parts[3].accuracy_interval
    assert 0.38 < low < 0.5 < high < 0.62
    assert parts.differ
    even = evaluation(np.zeros(400, np.int64), np.arange(400) % 2)
    assert not by_length(even, tokens).differ


def test_texts_of_one_length_are_one_part() -> None:
    parts = by_length(evaluation([0, 1, 2], [0, 1, 1]), np.full(3, 7))
    assert [part.texts for part in parts.parts] == [3]
    assert not parts.differ


def test_tokens_are_those_of_the_rows_tested() -> None:
    test = Evaluation(
        "test", np.array([5, 1]), np.array([0, 1]), np.eye(2)[[0, 0]], np.eye(2)[[0, 0]]
    )
    parts = by_length(test, np.array([9, 20, 9, 9, 9, 4]))
    assert [(part.tokens, part.accuracy) for part in parts.parts] == [
        ((4, 4), 1.0),
        ((20, 20), 0.0),
    ]


def test_truncation() -> None:
    labels = np.zeros(200, np.int64)
    tokens = np.arange(200)
    truncated = tokens >= 150
    predicted = np.where(truncated & (tokens % 5 > 0), 1, 0)
    parts = by_truncation(evaluation(labels, predicted), tokens, truncated)
    assert parts is not None
    whole, cut = parts.parts
    assert (whole.texts, whole.accuracy, whole.tokens) == (150, 1.0, (0, 149))
    assert (cut.texts, cut.accuracy, cut.tokens) == (50, 0.2, (150, 199))
    assert parts.differ
    test = evaluation(labels, predicted)
    assert by_truncation(test, tokens, np.zeros(200, bool)) is None
    assert by_truncation(test, tokens, np.ones(200, bool)) is None


@pytest.mark.parametrize(
    ("labels", "predicted", "found"),
    [
        ([0] * 20 + [1] * 80, [1] * 100, "says 80 % of the labels, so no collapse"),
        ([0] * 30 + [1] * 70, [1] * 95 + [0] * 5, "b"),
        ([0] * 30 + [1] * 70, [1] * 94 + [0] * 6, "no collapse"),
        ([0, 1, 2] * 10, [2] * 30, "c"),
    ],
)
def test_a_collapse(labels: list[int], predicted: list[int], found: str) -> None:
    collapsed = collapse(evaluation(labels, predicted), ("a", "b", "c"))
    if "no collapse" in found:
        assert collapsed is None
        return
    assert collapsed is not None
    assert collapsed.label == found
    most = "abc".index(found)
    assert collapsed.predicted_share == pytest.approx(predicted.count(most) / len(predicted))
    assert collapsed.label_share == pytest.approx(labels.count(most) / len(labels))
