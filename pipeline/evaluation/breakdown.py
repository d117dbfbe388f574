"""Test scores by class, by length and by truncation; and whether a head has collapsed."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from heads.evaluation import metrics
from pipeline import spreadsheet
from pipeline.evaluation.evaluation import Evaluation

CLASSES = "classes.csv"

LENGTHS = 4
"""Number of parts of equal size into which the texts are divided by length."""

PREDICTED_SHARE, LABEL_SHARE = 0.95, 0.8
"""A head has collapsed if one class has at least the first share of the predictions, and less
than the second share of the labels."""

LEVEL = 0.01
"""Significance level of the tests for different parts: low, since every run makes them."""


@dataclass(frozen=True)
class ClassScore:
    """How well one class is found.

    Attributes:
        label: the class.
        precision: share of the texts predicted as the class that are of it; None without any.
        recall: share of its texts that are predicted as the class; None without texts.
        f1: 2 hits / (support + predicted); None if both are 0.
        support: texts of the class.
        predicted: texts predicted as the class.
    """

    label: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int
    predicted: int


@dataclass(frozen=True)
class Part:
    """The score of some of the texts.

    Attributes:
        tokens: number in its shortest and longest text, before truncation.
        texts: how many.
        accuracy: share that is labelled correctly, in [0, 1].
        accuracy_interval: 95 % Wilson interval of the accuracy.
    """

    tokens: tuple[int, int]
    texts: int
    accuracy: float
    accuracy_interval: tuple[float, float]


@dataclass(frozen=True)
class Parts:
    """The test texts in parts.

    Attributes:
        parts: none of them empty.
        differ: whether their accuracies differ beyond noise (``metrics.differ``, 1 %).
    """

    parts: tuple[Part, ...]
    differ: bool


@dataclass(frozen=True)
class Collapse:
    """One class is predicted for almost every text, though it is not almost every label.

    Attributes:
        label: the class.
        predicted_share: of the predictions, in [0, 1].
        label_share: of the labels, in [0, 1].
    """

    label: str
    predicted_share: float
    label_share: float


def class_scores(test: Evaluation, names: Sequence[str]) -> tuple[ClassScore, ...]:
    """Return one score per class, in the order of ``names``, the labels by id."""
    counts = metrics.class_counts(test.labels, test.predicted, len(names))
    numbers = np.stack([counts.hits, counts.truths, counts.answers], axis=1).tolist()
    return tuple(
        ClassScore(
            label=name,
            precision=hits / answers if answers else None,
            recall=hits / truths if truths else None,
            f1=f1 if truths + answers else None,
            support=truths,
            predicted=answers,
        )
        for name, f1, (hits, truths, answers) in zip(
            names, counts.f1.tolist(), numbers, strict=True
        )
    )


def write_classes(path: Path, scores: Sequence[ClassScore]) -> None:
    """Write the scores of the classes as CSV; an empty cell is a measure of nothing.

    A label that a spreadsheet would run has an apostrophe before it.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([field.name for field in fields(ClassScore)])
        writer.writerows(spreadsheet.escaped(asdict(score).values()) for score in scores)


def by_length(test: Evaluation, tokens: np.ndarray) -> Parts:
    """Return parts of about equal size, the shortest texts first; fewer if lengths are equal.

    Args:
        tokens: (N,) tokens of every text of the corpus.
    """
    lengths = tokens[test.rows]
    edges = np.unique(np.quantile(lengths, np.arange(1, LENGTHS) / LENGTHS))
    return _parts(test, lengths, np.searchsorted(edges, lengths))


def by_truncation(test: Evaluation, tokens: np.ndarray, truncated: np.ndarray) -> Parts | None:
    """Return the whole texts, then the truncated ones; None if there are none of one kind.

    Args:
        tokens: (N,) tokens of every text of the corpus.
        truncated: (N,) bool.
    """
    cut = truncated[test.rows]
    if cut.all() or not cut.any():
        return None
    return _parts(test, tokens[test.rows], cut.astype(np.int64))


def _parts(test: Evaluation, lengths: np.ndarray, numbers: np.ndarray) -> Parts:
    """The parts in the order of their numbers.

    Args:
        lengths: (n,) tokens of each text.
        numbers: (n,) number of each text's part.
    """
    parts = []
    for number in np.unique(numbers):
        chosen = numbers == number
        labels, predicted = test.labels[chosen], test.predicted[chosen]
        parts.append(
            Part(
                tokens=(int(lengths[chosen].min()), int(lengths[chosen].max())),
                texts=len(labels),
                accuracy=metrics.accuracy(labels, predicted),
                accuracy_interval=metrics.accuracy_interval(labels, predicted),
            )
        )
    texts = np.array([part.texts for part in parts])
    right = np.array([part.accuracy for part in parts]) * texts
    return Parts(tuple(parts), metrics.differ(right, texts, LEVEL))


def collapse(test: Evaluation, names: Sequence[str]) -> Collapse | None:
    """Return the class that is predicted for almost every text; None if there is none."""
    most = int(np.bincount(test.predicted).argmax())
    predicted = float(np.mean(test.predicted == most))
    labels = float(np.mean(test.labels == most))
    if predicted < PREDICTED_SHARE or labels >= LABEL_SHARE:
        return None
    return Collapse(names[most], predicted, labels)
