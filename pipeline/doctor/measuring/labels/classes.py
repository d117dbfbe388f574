"""How far classes lie apart: their means against those of permuted labels, and the closest two.

Means lie apart where a signal is too weak for neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.doctor.measuring.labels.regression import left_out_scores

PERMUTATIONS, LEAST_PERMUTATIONS, PERMUTED = 200, 50, 400_000
"""Permutations of the labels: the first, or as many as move this many labels in all, or the
second. The fewer, the more often chance looks like a signal."""

LEAST_OF_PAIR = 30
"""Texts of a class, with fewer of which its mean says little. Ours."""


def means_z(vectors: np.ndarray, own: np.ndarray) -> float | None:
    """Return z of the spread of the classes' means, against permuted labels.

    Args:
        vectors: (n, D), unequal; every feature is scaled to deviation 1.
        own: (n,) class ids.
    """
    _, ids = np.unique(own, return_inverse=True)
    counts = np.bincount(ids)
    if len(counts) < 2:
        return None
    moved = vectors - vectors.mean(axis=0)
    scaled = moved / np.maximum(moved.std(axis=0), 1e-6)

    def spread(labels: np.ndarray) -> float:
        """Return the squares of the means, each as often as its class has texts."""
        members = np.zeros((len(counts), len(labels)), np.float32)
        members[labels, np.arange(len(labels))] = 1.0
        return float((((members @ scaled) ** 2).sum(axis=1) / counts).sum())

    random = np.random.default_rng(0)
    count = max(LEAST_PERMUTATIONS, min(PERMUTATIONS, PERMUTED // len(ids)))
    by_chance = [spread(random.permutation(ids)) for _ in range(count)]
    return z_among(spread(ids), by_chance)


def closest_classes(vectors: np.ndarray, own: np.ndarray) -> dict[str, Any]:
    """Return ``closest``, ``closest_z`` and ``usual_z`` of ``Neighbours``; {} without pairs.

    Args:
        vectors: (n, D), unequal.
        own: (n,) class ids.
    """
    counts = np.bincount(own)
    large = np.flatnonzero(counts >= LEAST_OF_PAIR)
    if len(large) < 3:
        return {}
    deviation = np.maximum(vectors.std(axis=0), 1e-6)
    means = np.stack([vectors[own == label].mean(axis=0) / deviation for label in large])
    apart = ((means[:, None] - means[None]) ** 2).sum(axis=2)
    # What chance alone makes of a distance falls with the texts of the two classes.
    apart *= 1 / (1 / counts[large][:, None] + 1 / counts[large][None])
    first, second = np.triu_indices(len(large), 1)
    order = np.argsort(apart[first, second], kind="stable")

    def z(place: int) -> float | None:
        pair = large[[first[order[place]], second[order[place]]]]
        chosen = np.isin(own, pair)
        return means_z(vectors[chosen], own[chosen])

    one, other = large[[first[order[0]], second[order[0]]]].tolist()
    both = np.isin(own, (one, other))
    return {
        "closest": (one, other),
        "closest_z": z(0),
        "usual_z": z(len(order) // 2),
        "closest_left_out": (left_out_errors(vectors[both], own[both]), int(both.sum())),
    }


def left_out_errors(vectors: np.ndarray, labels: np.ndarray) -> int:
    """Return how many texts a ridge regression of all others gives another class.

    Args:
        vectors: (n, D), unequal.
        labels: (n,) class ids.
    """
    _, ids = np.unique(labels, return_inverse=True)
    scores = next(left_out_scores(vectors, ids))
    return int((scores.argmax(axis=1) != ids).sum())


def z_among(value: float, by_chance: Sequence[float]) -> float:
    """Return how far a value is from what chance gives, in deviations of chance."""
    return (value - float(np.mean(by_chance))) / deviation_of(by_chance)


def deviation_of(by_chance: Sequence[float]) -> float:
    """Return the deviation of what chance gives."""
    return max(float(np.std(by_chance, ddof=1)), 1e-4)
