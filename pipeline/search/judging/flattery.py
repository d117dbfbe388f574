"""How much a search flatters validation, because it chose the best on it.

The best trial had luck with its seed, which its repeats take away. And it was chosen by these
very texts: the bootstrap chooses among all trials on drawn texts, and scores the choice on the
texts that were not drawn (Tsamardinos et al., Bootstrapping the out-of-sample predictions,
Machine Learning, 2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.search.candidate import BASELINES, Trial, ordered
from pipeline.search.judging.finalists import Finalist

RESAMPLES = 400
"""Bootstrap samples of the validation texts."""


@dataclass(frozen=True)
class Flattery:
    """How much higher validation is than the truth, because the best was chosen on it.

    Attributes:
        best: validation accuracy of the best trial of the search.
        repeats: mean of the repeats of that very candidate; None: no seed changes it.
        trials: how many the best was chosen from.
        choice: mean, over bootstrap samples, of the accuracy by which a trial is chosen less
            its accuracy on the other texts.
    """

    best: float
    repeats: float | None
    trials: int
    choice: float


@dataclass(frozen=True)
class Luck:
    """What choosing the best of n trials looks like, and what it is worth.

    Attributes:
        trials: n.
        chosen: mean validation accuracy of the best of n drawn trials.
        others: the same choice on texts that did not choose it, by the bootstrap.
    """

    trials: int
    chosen: float
    others: float


def flattery(
    trials: Sequence[Trial], found: Sequence[Finalist], goal: str, texts: int, seed: int = 0
) -> Flattery:
    """Return how much the search flatters validation.

    Args:
        trials: simple and drawn ones, of which one head at least was trained to the end.
        found: the finalists.
        seed: of the bootstrap.
    """
    heads = _heads(trials, goal)
    best = heads[0]
    again = [one for one in found if one.candidate == best.candidate and one.repeated]
    drawn, others = _resampled(heads, texts, np.random.default_rng(seed))
    chosen = drawn.argmax(axis=1)
    rows = np.arange(len(drawn))
    choice = float((drawn[rows, chosen] - others[rows, chosen]).mean())
    return Flattery(
        best.outcome.accuracy, again[0].mean if again else None, len(heads), max(0.0, choice)
    )


def luck_curve(trials: Sequence[Trial], goal: str, texts: int, seed: int = 0) -> list[Luck]:
    """Return the luck of the best of 1, 2, ... trials, in the mean over drawn orders of them.

    Arguments are those of ``flattery``.
    """
    heads = _heads(trials, goal)
    if not heads:
        return []
    rng = np.random.default_rng(seed)
    drawn, others = _resampled(heads, texts, rng)
    order = rng.permuted(np.tile(np.arange(len(heads)), (len(drawn), 1)), axis=1)
    accuracy = np.array([each.outcome.accuracy for each in heads])
    best = np.maximum.accumulate(accuracy[order], axis=1).mean(axis=0)
    drawn = np.take_along_axis(drawn, order, axis=1)
    others = np.take_along_axis(others, order, axis=1)
    highest = np.maximum.accumulate(drawn, axis=1)
    ahead = np.ones_like(drawn, dtype=bool)
    ahead[:, 1:] = drawn[:, 1:] > highest[:, :-1]
    place = np.maximum.accumulate(np.where(ahead, np.arange(len(heads)), 0), axis=1)
    gap = (highest - np.take_along_axis(others, place, axis=1)).mean(axis=0)
    return [
        Luck(count, float(chosen), float(chosen - max(0.0, lost)))
        for count, (chosen, lost) in enumerate(zip(best, gap, strict=True), start=1)
    ]


def _heads(trials: Sequence[Trial], goal: str) -> list[Trial]:
    """Return the trials of heads that were trained to the end, the best first."""
    return [each for each in ordered(trials, goal) if each.candidate.head not in BASELINES]


def _resampled(
    heads: Sequence[Trial], texts: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return (R, H) float64 accuracies on R bootstrap samples of the texts, and on the others.

    Args:
        heads: H trials that were trained to the end.
    """
    shares = np.array([each.outcome.answers(texts).mean(axis=0) for each in heads])
    counts = rng.multinomial(texts, np.full(texts, 1 / texts), size=RESAMPLES)
    drawn = counts @ shares.T / texts
    left = (counts == 0).astype(np.float64)
    others = left @ shares.T / np.maximum(1.0, left.sum(axis=1, keepdims=True))
    return drawn, others
