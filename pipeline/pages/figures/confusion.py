"""Which classes are taken for which: an order that shows it, and the most frequent pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heads.evaluation.metrics import confusion
from pipeline.pages.test_texts import TestTexts

MAX_BEST_ORDER = 300
"""Up to so many classes the best order of the tree is sought; it takes time that grows with
their square."""


@dataclass(frozen=True)
class ConfusedPair:
    """Texts of one class that are taken for another.

    Attributes:
        label, predicted: class ids.
        count: how many texts.
        share: of the texts of the label, in [0, 1].
    """

    label: int
    predicted: int
    count: int
    share: float


def counts_of(tests: TestTexts) -> np.ndarray:
    """Return (K, K) int64 counts of label and prediction, over all K labels."""
    return confusion(tests.labels, tests.predicted, len(tests.names.all))


def class_order(counts: np.ndarray) -> np.ndarray:
    """Return (K,) int64 class ids, those that are confused with each other side by side.

    Classes are joined to a tree by how often they are taken for each other (average linkage of
    the share of their texts), and its leaves are ordered so that neighbours are as alike as the
    tree allows (Bar-Joseph et al., Bioinformatics, 2001).

    Args:
        counts: (K, K) of label and prediction.
    """
    classes = len(counts)
    if classes < 3:
        return np.arange(classes)
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    alike = (shares + shares.T) / 2
    far = 1.0 - alike
    np.fill_diagonal(far, 0.0)
    best = classes <= MAX_BEST_ORDER
    tree = linkage(squareform(far, checks=False), "average", optimal_ordering=best)
    return np.asarray(leaves_list(tree), dtype=np.int64)


def confused_pairs(counts: np.ndarray, most: int) -> list[ConfusedPair]:
    """Return the most frequent confusions, at most ``most``, the most frequent first."""
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    texts = np.maximum(1, counts.sum(axis=1))
    return [
        ConfusedPair(row, column, int(wrong[row, column]), wrong[row, column] / texts[row])
        for row, column in (divmod(place, len(counts)) for place in order.tolist())
        if wrong[row, column]
    ]
