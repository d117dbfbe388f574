"""Which class a head means by each of its outputs: the order of classes that fits best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Assignment:
    """The order of classes that makes most predictions right.

    Attributes:
        classes: (C,) int64; output ``i`` of the head fits class ``classes[i]`` best.
        accuracy: with that order, in [0, 1].
        as_given: accuracy in the order given.
    """

    classes: np.ndarray
    accuracy: float
    as_given: float

    @property
    def gain(self) -> float:
        """How much the best order gains over the one given, in [0, 1]."""
        return self.accuracy - self.as_given


def best_assignment(labels: np.ndarray, predicted: np.ndarray, classes: int) -> Assignment:
    """Find the order of classes that makes most predictions right, by the Hungarian method.

    Args:
        labels, predicted: (n,) int64 in 0..C-1.
        classes: C.
    """
    from scipy.optimize import linear_sum_assignment  # slow to import

    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (predicted, labels), 1)
    rows, columns = linear_sum_assignment(-counts)
    order = np.empty(classes, np.int64)
    order[rows] = columns
    total = max(1, len(labels))
    return Assignment(
        order, float(counts[rows, columns].sum()) / total, float(counts.trace()) / total
    )
