"""How much a score varies over repeats: mean, standard deviation, interval of the mean.

Two sources of chance are kept apart. Another training seed (or other folds) would give
another head: the t interval over the repeats says how far that moves the mean. Other test
texts would give other scores of the same heads: the bootstrap interval over texts says how
far that does.

    over N seeds   mean +- t(N - 1) s sqrt(1 / N)
    over K folds   mean +- t(K - 1) s sqrt(1 / K + tested / learned)

s is the standard deviation with the divisor N - 1. Folds learn from largely the same texts, so
their scores vary less than those of independent trainings would; the ratio of tested to learned
texts of a fold, about 1 / (K - 1) if the heads learn from validation texts too, corrects for
that (Nadeau and Bengio, Inference for the generalization error, Machine Learning, 2003).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from heads.evaluation import metrics
from pipeline.evaluation.evaluation import Evaluation


@dataclass(frozen=True)
class Estimate:
    """A score over repeats.

    Attributes:
        values: one a repeat.
        mean: of them.
        deviation: their standard deviation.
        interval: 95 % interval of the mean as the repeats vary, within [0, 1].
    """

    values: tuple[float, ...]
    mean: float
    deviation: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class RepeatedScore:
    """Test scores over repeats.

    Attributes:
        accuracy, macro_f1: over the repeats.
        texts_interval: 95 % interval of the mean accuracy as the test texts vary.
    """

    accuracy: Estimate
    macro_f1: Estimate
    texts_interval: tuple[float, float]


def estimate(values: Sequence[float], shared: float = 0.0) -> Estimate:
    """Return mean, deviation and 95 % t interval.

    Args:
        values: 2 or more scores in [0, 1].
        shared: what is added to 1 / N for trainings on largely the same texts.
    """
    mean, deviation = float(np.mean(values)), float(np.std(values, ddof=1))
    from scipy.special import stdtrit  # slow to import; reading scores needs none

    quantile = float(stdtrit(len(values) - 1, 0.975))
    half = quantile * deviation * (1 / len(values) + shared) ** 0.5
    return Estimate(
        tuple(values), mean, deviation, (max(0.0, mean - half), min(1.0, mean + half))
    )


def seed_spread(tests: Sequence[Evaluation]) -> RepeatedScore:
    """Return scores over seeds, from one evaluation each of the same texts and order."""
    return _spread([[test] for test in tests], _right(tests))


def fold_spread(tests: Sequence[Sequence[Evaluation]], shared: float) -> RepeatedScore:
    """Return scores over folds, from one evaluation per seed; a fold has the mean of its seeds.

    Args:
        shared: texts that a fold tests for each that its head learned from.
    """
    right = np.concatenate([_right(fold) for fold in tests])
    return _spread(tests, right, shared)


def _right(tests: Sequence[Evaluation]) -> np.ndarray:
    """Return (n,): the share of evaluations that label each text correctly."""
    shares: np.ndarray = np.mean([test.right for test in tests], axis=0)
    return shares


def _spread(
    repeats: Sequence[Sequence[Evaluation]], right: np.ndarray, shared: float = 0.0
) -> RepeatedScore:
    scores = [[test.score() for test in repeat] for repeat in repeats]
    accuracies = [float(np.mean([each.accuracy for each in repeat])) for repeat in scores]
    f1s = [float(np.mean([each.macro_f1 for each in repeat])) for repeat in scores]
    return RepeatedScore(
        estimate(accuracies, shared), estimate(f1s, shared), metrics.share_interval(right)
    )
