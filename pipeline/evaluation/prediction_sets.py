"""Prediction sets: for each text the labels that hold the true one as often as wanted.

Split conformal prediction with the score ``1 - probability of the true label`` (Sadinle et al.,
Least ambiguous set-valued classifiers, JASA 2019): new texts like those of validation have
their true label in the set with the wanted chance, whatever the head.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from features.errors import SettingError
from heads.evaluation.metrics import share_interval
from pipeline.evaluation.evaluation import Evaluation

ROUNDING = 1e-8
"""Probabilities so near to the smallest one count as equal to it."""


@dataclass(frozen=True)
class PredictionSets:
    """The rule that gives sets.

    Attributes:
        level: share of the sets that shall hold the true label, in (0, 1).
        smallest: a label is in the set if its probability is at least this; below 0: always.
        texts: how many validation texts decided.
        test_share: share of the test texts whose set holds their label.
        test_interval: its 95 % Wilson interval.
        test_labels: mean number of labels in the sets of the test texts.
    """

    level: float
    smallest: float
    texts: int
    test_share: float
    test_interval: tuple[float, float]
    test_labels: float

    def sets(self, probabilities: np.ndarray) -> np.ndarray:
        """Return (n, C) bool: which labels are in the set of each text; it may be empty."""
        return _sets(probabilities, self.smallest)

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)

    def line(self) -> str:
        """Return one line for people."""
        low, high = self.test_interval
        return (
            f"sets: labels with a probability of {max(0.0, self.smallest):.3f} or more, to "
            f"hold the true one for {self.level:.0%} of the texts; of the test texts "
            f"{self.test_share:.1%} ({low:.1%} to {high:.1%}), with {self.test_labels:.1f} "
            "labels per set"
        )


def choose_sets(level: float, validation: Evaluation, test: Evaluation) -> PredictionSets:
    """Return the rule for a level. Raises ``SettingError`` for a level that is none.

    With too few validation texts for the level every label is in every set.

    Args:
        level: wanted share of sets that hold the true label.
        validation, test: predictions of the head.
    """
    check_level(level)
    scores = np.sort(1 - _of_true(validation))
    rank = math.ceil(round((len(scores) + 1) * level, 9))
    largest = float(scores[rank - 1]) if rank <= len(scores) else math.inf
    smallest = 1 - largest if math.isfinite(largest) else -1.0
    sets = _sets(test.probabilities, smallest)
    known = test.labels < sets.shape[1]
    held = known & sets[np.arange(len(sets)), np.where(known, test.labels, 0)]
    return PredictionSets(
        level,
        smallest,
        len(scores),
        float(held.mean()),
        share_interval(held.astype(float)),
        float(sets.sum(axis=1).mean()),
    )


def check_level(value: float) -> None:
    """Refuse a level that is none. Raises ``SettingError``."""
    if not 0 < value < 1:
        raise SettingError(
            f"--sets {value:g}: the share of sets with the true label must be above 0 and "
            "below 1, such as 0.9"
        )


def _of_true(evaluation: Evaluation) -> np.ndarray:
    """Return (n,) float64: the probability of the true label; -inf if no head knows it."""
    shares = evaluation.probabilities.astype(np.float64)
    known = evaluation.labels < shares.shape[1]
    found = shares[np.arange(len(shares)), np.where(known, evaluation.labels, 0)]
    return np.where(known, found, -np.inf)


def _sets(probabilities: np.ndarray, smallest: float) -> np.ndarray:
    return np.asarray(probabilities.astype(np.float64) >= smallest - ROUNDING)
