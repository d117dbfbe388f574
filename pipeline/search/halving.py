"""Successive halving: stop a trial that does worse than others did at the same epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

FIRST_RUNG, FACTOR = 2, 3
"""Trials are compared after 2, 6, 18, ... epochs, and the best third of them goes on: the usual
factor of Hyperband (Li et al., JMLR 2018)."""

MIN_RIVALS = 3
"""Other trials of the head that have come so far, before any is stopped."""

IsBehind = Callable[[int, float], bool]
"""(epoch, validation accuracy after it) -> whether to stop."""


class StoppedEarly(Exception):  # no error: it leaves the training
    """A trial did worse than others at the same epoch."""


@dataclass(frozen=True)
class Halving:
    """Successive halving among the trials of one head (Li et al., ASHA, MLSys 2020).

    Attributes:
        curves: accuracy after each epoch, of the other trials of that head.
    """

    curves: Sequence[Sequence[float]]

    def is_behind(self, epoch: int, accuracy: float) -> bool:
        """Return whether a trial belongs to the worse two thirds at a rung."""
        rung = FIRST_RUNG
        while rung < epoch:
            rung *= FACTOR
        if rung != epoch:
            return False
        rivals = [max(curve[:epoch]) for curve in self.curves if len(curve) >= epoch]
        if len(rivals) < MIN_RIVALS:
            return False
        ahead = sum(rival > accuracy for rival in rivals)
        return ahead >= (len(rivals) + 1) / FACTOR
