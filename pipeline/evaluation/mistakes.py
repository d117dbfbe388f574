"""What is predicted wrongly: the most frequent mistake, and how far ratings are missed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from heads.evaluation import metrics
from pipeline.evaluation.evaluation import Evaluation

INTEGER = re.compile(r"[+-]?\d+")

RATINGS = (3, 20)
"""Fewest and most labels of a rating: with two there is no order, and more are numbers."""


@dataclass(frozen=True)
class Mistake:
    """One label taken for another.

    Attributes:
        label: the true one.
        predicted: the one predicted in its place.
        count: texts of which this is so.
        texts: texts of the true label.
    """

    label: str
    predicted: str
    count: int
    texts: int


def most_frequent_mistake(test: Evaluation, names: Sequence[str]) -> Mistake | None:
    """Return the pair of labels that is confused most often; None without an error.

    Args:
        names: the labels by id.
    """
    counts = metrics.confusion(test.labels, test.predicted, len(names))
    texts = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    row, column = divmod(int(counts.argmax()), len(names))
    if not counts[row, column]:
        return None
    return Mistake(names[row], names[column], int(counts[row, column]), int(texts[row]))


def ratings(names: Sequence[str]) -> np.ndarray | None:
    """Return (C,) float64 values of labels that are whole numbers in an order, such as stars.

    None where one of them is no whole number, or there are too few or too many for ratings.
    """
    fewest, most = RATINGS
    if not fewest <= len(names) <= most or not all(map(INTEGER.fullmatch, names)):
        return None
    values = np.array([int(name) for name in names], dtype=np.float64)
    return values if len(np.unique(values)) == len(values) else None


def mean_absolute_error(test: Evaluation, names: Sequence[str]) -> float | None:
    """Return by how much ratings are missed on average; None where labels are no ratings.

    Args:
        names: the labels by id.
    """
    values = ratings(names)
    if values is None:
        return None
    return float(np.abs(values[test.predicted] - values[test.labels]).mean())
