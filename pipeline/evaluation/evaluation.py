"""Predictions of some texts beside their labels, and the score of them."""

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
        accuracy: share of texts labelled rightly, in [0, 1].
        macro_f1: mean of the classes' F1 measures, in [0, 1].
        accuracy_interval: 95 % Wilson interval of the accuracy; the bootstrap's where
            texts with several answers count by share.
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
    def told(self) -> str:
        """The accuracy with its interval for people, or that there are too few texts."""
        if not self.enough:
            return f"too few texts ({self.texts}) for a score"
        low, high = self.accuracy_interval
        return f"{self.accuracy:.1%} ({low:.1%} to {high:.1%})"


@dataclass(frozen=True)
class Difference:
    """By how much one is more often right than another on the same texts.

    Attributes:
        mean: difference of the accuracies, in [-1, 1].
        interval: its 95 % bootstrap interval over the texts, each with both answers.
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
        labels: (n,) true class ids; those from C up are labels that training lacks.
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
        """(n,) int64: the most probable class of each text."""
        ids: np.ndarray = self.probabilities.argmax(axis=1)
        return ids

    @cached_property
    def right(self) -> np.ndarray:
        """(n,) bool: the texts labelled rightly."""
        hits: np.ndarray = self.predicted == self.labels
        return hits

    def score(self) -> Score:
        """The score of its texts, each counted once.

        Of a text with several answers, pooled from folds, the share of right ones counts; the
        macro-F1 is over all answers.
        """
        texts, place, answers = np.unique(self.rows, return_inverse=True, return_counts=True)
        if len(texts) == len(self.rows):
            return score(self.labels, self.predicted)
        right = np.bincount(place, weights=self.right) / answers
        return Score(
            accuracy=float(right.mean()),
            macro_f1=metrics.macro_f1(self.labels, self.predicted),
            accuracy_interval=metrics.share_interval(right),
            texts=len(texts),
        )


def difference(one: Evaluation, other: Evaluation) -> Difference:
    """``one`` minus ``other``; both answer the same rows in the same order.

    Of a text with several answers, pooled from folds, the mean difference counts.
    """
    _, place, answers = np.unique(one.rows, return_inverse=True, return_counts=True)
    gaps = one.right.astype(np.float64) - other.right
    values = np.bincount(place, weights=gaps) / answers
    return Difference(float(values.mean()), metrics.mean_interval(values))


def pooled(parts: Sequence[Evaluation]) -> Evaluation:
    """Evaluations of one side, one behind the other."""
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
    """The class ids that all trials share.

    Attributes:
        classes: C labels that some fold's training knows, sorted.
        unseen: labels that none does, sorted; their ids are C, C + 1, ...
    """

    classes: tuple[str, ...]
    unseen: tuple[str, ...]

    @classmethod
    def of(cls, labels: Sequence[str], splits: Sequence[Split]) -> ClassNames:
        """Those of a corpus under some splits."""
        known = sorted({name for split in splits for name in split.classes})
        return cls(tuple(known), tuple(sorted(set(labels) - set(known))))

    @property
    def all(self) -> tuple[str, ...]:
        """Every label, in the order of the ids."""
        return (*self.classes, *self.unseen)

    def ids(self, labels: Sequence[str]) -> np.ndarray:
        """(len(labels),) int64 class ids."""
        places = {name: i for i, name in enumerate(self.all)}
        return np.array([places[label] for label in labels], dtype=np.int64)
