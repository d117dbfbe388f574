"""Accuracy against coverage: how often answers are right if only the surest are given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heads.evaluation.metrics import share_interval
from pipeline.evaluation.abstention import TABLE

MAX_POINTS = 100
"""Of the curve."""

MIN_TEXTS = 10
"""Minimum answers of a point; fewer say nothing."""


@dataclass(frozen=True)
class Covered:
    """What is answered from some confidence on.

    Attributes:
        share: of the texts that are answered, in (0, 1].
        confidence: the lowest of them.
        accuracy: of the answers.
        interval: its 95 % interval.
        texts: how many are answered.
    """

    share: float
    confidence: float
    accuracy: float
    interval: tuple[float, float]
    texts: int


def coverage_curve(right: np.ndarray, confidence: np.ndarray) -> list[tuple[float, float]]:
    """Return (share answered, accuracy) from few answers to all.

    Args:
        right: (n,) bool, whether each text is labelled rightly.
        confidence: (n,) float64.
    """
    order = np.argsort(-confidence, kind="stable")
    accuracy = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    first = min(MIN_TEXTS, len(order))
    at = np.unique(np.linspace(first, len(order), MAX_POINTS).astype(int)) - 1
    return [((i + 1) / len(order), float(accuracy[i])) for i in at.tolist()]


def coverage_table(right: np.ndarray, confidence: np.ndarray) -> list[Covered]:
    """Return what the surest answers score, from all of them to a half."""
    order = np.argsort(-confidence, kind="stable")
    found: list[Covered] = []
    for share in TABLE:
        texts = round(share * len(order))
        if texts < min(MIN_TEXTS, len(order)) or (found and texts == found[-1].texts):
            continue
        chosen = right[order[:texts]]
        found.append(
            Covered(
                share,
                float(confidence[order[texts - 1]]),
                float(chosen.mean()),
                share_interval(chosen.astype(np.float64)),
                texts,
            )
        )
    return found
