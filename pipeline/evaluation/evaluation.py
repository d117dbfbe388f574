"""Predictions and true labels of some texts, and their score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from features.splits.split import Split
from heads.evaluation import metrics

FEWEST_SCORED = 20
"""With fewer texts no score is told: one text alone would change it by more than 5 points."""


@dataclass(frozen=True)
class Score:
    """How good predictions are.

    Attributes:
        accuracy: share of texts that are labelled correctly, in [0, 1].
        macro_f1: mean of the classes' F1 measures, in [0, 1].
        accuracy_interval: 95 % Wilson interval of the accuracy; the bootstrap's if
            texts have several predictions and count by share.
        texts: how many texts were scored.
    """

    accuracy: float
    macro_f1: float
    accuracy_interval: tuple[float, float]
    texts: int

    @property
    def enough(self) -> bool:
        """Whether these are texts enough to tell people a score."""
        return self.texts >= FEWEST_SCORED

    @property
    def cells(self) -> tuple[str, str, str]:
        """Accuracy, macro-F1 and interval, the cells of a table for people."""
        macro_f1 = f"{self.macro_f1:.1%}" if self.enough else "-"
        return self.accuracy_told, macro_f1, self.interval_told

    @property
    def accuracy_told(self) -> str:
        """The accuracy for people, or a dash where there are too few texts."""
        return f"{self.accuracy:.1%}" if self.enough else "-"

    @property
    def interval_told(self) -> str:
        """The 95 % interval for people, or that there are too few texts."""
        if not self.enough:
            return self.told
        low, high = self.accuracy_interval
        return f"{low:.1%} to {high:.1%}"

    @property
    def told(self) -> str:
        """The accuracy with its interval for people, or that there are too few texts."""
        if not self.enough:
            return f"too few texts ({self.texts}) for a score"
        return f"{self.accuracy:.1%} ({self.interval_told})"


@dataclass(frozen=True)
class Difference:
    """How much more often one is right than another on the same texts.

    Attributes:
        mean: difference of the accuracies, in [-1, 1].
        interval: its 95 % bootstrap interval over the texts, each with both predictions.
    """

    mean: float
    interval: tuple[float, float]


def score(labels: np.ndarray, predicted: np.ndarray) -> Score:
    """Score predictions against true class ids, both (n,) int64."""
    return Score(
        accuracy=metrics.accuracy(labels, predicted),
        macro_f1=metrics.macro_f1(labels, predicted),
        accuracy_interval=metrics.accuracy_interval(labels, predicted),
        texts=len(labels),
    )


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Predictions of one side of the split.

    Attributes:
        side: ``validation`` or ``test``.
        rows: (n,) positions of its texts in the corpus.
        labels: (n,) true class ids; ids from C up are labels that training does not have.
        probabilities: (n, C) float32, as ``predict`` gives them.
        plain: (n, C) float32, before the temperature.
    """

    side: str
    rows: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray
    plain: np.ndarray

    @cached_property
    def predicted(self) -> np.ndarray:
        """Return (n,) int64: the most probable class of each text."""
        ids: np.ndarray = self.probabilities.argmax(axis=1)
        return ids

    @cached_property
    def right(self) -> np.ndarray:
        """Return (n,) bool: whether each text is labelled correctly."""
        hits: np.ndarray = self.predicted == self.labels
        return hits

    def score(self) -> Score:
        """Return the score of its texts, each counted once.

        If a text has several predictions, pooled from folds, the share of right ones counts.
        The macro-F1 is over all predictions.
        """
        texts, index, counts = np.unique(self.rows, return_inverse=True, return_counts=True)
        if len(texts) == len(self.rows):
            return score(self.labels, self.predicted)
        right = np.bincount(index, weights=self.right) / counts
        return Score(
            accuracy=float(right.mean()),
            macro_f1=metrics.macro_f1(self.labels, self.predicted),
            accuracy_interval=metrics.share_interval(right),
            texts=len(texts),
        )


def difference(one: Evaluation, other: Evaluation) -> Difference:
    """Return ``one`` minus ``other``; both predict the same rows in the same order.

    If a text has several predictions, pooled from folds, their mean difference counts.
    """
    _, index, counts = np.unique(one.rows, return_inverse=True, return_counts=True)
    gaps = one.right.astype(np.float64) - other.right
    values = np.bincount(index, weights=gaps) / counts
    return Difference(float(values.mean()), metrics.mean_interval(values))


def pooled(parts: Sequence[Evaluation]) -> Evaluation:
    """Return the concatenation of evaluations of one side."""
    if len(parts) == 1:
        return parts[0]
    return Evaluation(
        parts[0].side,
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("rows", "labels", "probabilities", "plain")
        ),
    )


@dataclass(frozen=True, eq=False)
class ClassNames:
    """The class ids that all trainings share.

    Attributes:
        classes: C labels that the training of some fold has, sorted.
        unseen: labels that no training has, sorted; their ids are C, C + 1, ...
    """

    classes: tuple[str, ...]
    unseen: tuple[str, ...]

    @classmethod
    def of(cls, labels: Sequence[str], splits: Sequence[Split]) -> ClassNames:
        """Return the names of a corpus under some splits."""
        known = sorted({name for split in splits for name in split.classes})
        return cls(tuple(known), tuple(sorted(set(labels) - set(known))))

    @property
    def all(self) -> tuple[str, ...]:
        """Return every label, in the order of the ids."""
        return (*self.classes, *self.unseen)

    def ids(self, labels: Sequence[str]) -> np.ndarray:
        """Return (len(labels),) int64 class ids."""
        ids = {name: i for i, name in enumerate(self.all)}
        return np.array([ids[label] for label in labels], dtype=np.int64)
