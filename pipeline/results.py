"""What an experiment gave: scores, predictions, and the whole result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from heads import metrics

Z_95 = 1.96


@dataclass(frozen=True)
class Score:
    """How good predictions are.

    Attributes:
        accuracy: share of texts labelled rightly, in [0, 1].
        macro_f1: mean of the classes' F1 measures, in [0, 1].
        accuracy_interval: 95 % bootstrap interval of the accuracy.
        texts: how many texts were scored.
    """

    accuracy: float
    macro_f1: float
    accuracy_interval: tuple[float, float]
    texts: int


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
        probabilities: (n, C) float32.
    """

    side: str
    rows: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        """(n,) int64: the most probable class of each text."""
        ids: np.ndarray = self.probabilities.argmax(axis=1)
        return ids


@dataclass(frozen=True)
class ExperimentResult:
    """What one experiment gave.

    Attributes:
        run: its folder.
        head, layout: what was trained on what.
        encoded: texts that had to be encoded; the others were cached.
        truncated: texts longer than the encoder sees.
        tokens_cut_share: share of all tokens, in [0, 1], that it does not see therefore.
        validation, test: the head's scores.
        baselines: test scores of what it must beat, by name.
        epochs, best_epoch: passes made, and the one whose weights were kept.
        parameters: trained numbers of the head.
        seconds: ``encoding`` and ``training``.
        notes: what a user must know about the split.
        copied: test texts with a copy or near-copy among the training texts.
        test_without_copies: the head's score on all other test texts; None if there are none.
    """

    run: Path
    head: str
    layout: str
    encoded: int
    truncated: int
    validation: Score
    test: Score
    baselines: Mapping[str, Score]
    epochs: int
    best_epoch: int
    parameters: int
    seconds: Mapping[str, float]
    notes: tuple[str, ...]
    copied: int = 0
    test_without_copies: Score | None = None
    tokens_cut_share: float = 0.0

    @property
    def flattered(self) -> bool:
        """Whether copies raise or lower the test accuracy beyond noise.

        Two-proportion z test, 95 %, of the copied test texts against the others.
        """
        rest = self.test_without_copies
        if not self.copied or rest is None:
            return False
        right = self.test.accuracy * self.test.texts - rest.accuracy * rest.texts
        shared = self.test.accuracy * (1 - self.test.accuracy)
        noise = (shared * (1 / self.copied + 1 / rest.texts)) ** 0.5
        return bool(abs(right / self.copied - rest.accuracy) > Z_95 * noise)

    def to_dict(self) -> dict[str, Any]:
        """Plain values: what ``--json`` prints and ``metrics.json`` holds."""
        return {**asdict(self), "run": str(self.run)}
