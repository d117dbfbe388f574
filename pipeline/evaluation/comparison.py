"""Two answers to the same texts: which is more often right, and whether beyond noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heads.evaluation import metrics


@dataclass(frozen=True)
class Comparison:
    """How much more often one is right than another on the same texts.

    Attributes:
        difference: of the accuracies, in [-1, 1]; above 0 where the first is better.
        interval: its 95 % bootstrap interval over the texts, each with both answers.
        beyond_noise: whether McNemar's exact test tells the two apart, at 5 %.
    """

    difference: float
    interval: tuple[float, float]
    beyond_noise: bool

    @property
    def better(self) -> bool:
        """Whether the first is better beyond noise."""
        return self.beyond_noise and self.difference > 0

    @property
    def worse(self) -> bool:
        """Whether the first is worse beyond noise."""
        return self.beyond_noise and self.difference < 0


def compare(one: np.ndarray, other: np.ndarray) -> Comparison:
    """Compare the answers of two heads to the same n texts, each counted once.

    Args:
        one, other: (n,) bool, the texts that each labels rightly.
    """
    gaps = one.astype(np.float64) - other
    return Comparison(
        difference=float(gaps.mean()),
        interval=metrics.mean_interval(gaps),
        beyond_noise=metrics.answers_differ(one, other),
    )
