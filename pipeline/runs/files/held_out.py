"""Predictions of the heads of a run for validation and test texts.

Those on validation are by the head before its refit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.evaluation import ClassNames, Evaluation, pooled

SIDES = ("validation", "test")


@dataclass(frozen=True, eq=False)
class TrainingPredictions:
    """The held-out predictions of one training.

    Attributes:
        fold: from 1.
        seed: of the training.
        best: whether it is the best of its fold on validation.
        validation, test: predictions; in those that were read ``plain`` is ``probabilities``.
    """

    fold: int
    seed: int
    best: bool
    validation: Evaluation
    test: Evaluation


@dataclass(frozen=True, eq=False)
class HeldOutPredictions:
    """The held-out predictions of all trainings of a run.

    Attributes:
        corpus_digest: of the texts, labels and sides in their order.
        names: the class ids.
        rows: data rows by position in the corpus, (N,) int64; 0 for a text that no training
            held out. The same texts may stand in other rows of another file.
        learned: how many texts the heads of each fold have learned from.
        trainings: by fold, then by seed.
    """

    corpus_digest: str
    names: ClassNames
    rows: np.ndarray
    learned: tuple[int, ...]
    trainings: tuple[TrainingPredictions, ...]

    @property
    def folds(self) -> tuple[TrainingPredictions, ...]:
        """Return the predictions of the best training of each fold; without folds, of one."""
        return tuple(each for each in self.trainings if each.best)

    @property
    def validation(self) -> Evaluation:
        """Return what the best trainings predict on validation; several may predict a text."""
        return pooled([fold.validation for fold in self.folds])

    @property
    def test(self) -> Evaluation:
        """Return what the best trainings predict on test, of all folds."""
        return pooled([fold.test for fold in self.folds])

    @property
    def fold_count(self) -> int:
        """Return the number of folds as ``--folds`` takes it: 0 without."""
        return len(self.folds) if len(self.folds) > 1 else 0
