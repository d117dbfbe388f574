"""What an examination may cost: seconds of measuring and of trying together."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

LEAST_BUDGET = 60.0
"""Seconds of an examination whose budget was not given; more where one training needs more."""

STEP = 10
"""A budget to ask for is told in multiples of it, in seconds."""


@dataclass(eq=False)
class Budget:
    """Seconds from the beginning of an examination.

    Where other programs have the processors, the clock goes on and nothing is done; so of clock
    time and this process's processor time the smaller one counts.

    Attributes:
        asked: seconds; None: 60, or until one training has been tried, if that is longer.
        training: seconds on the clock of the training that is examined.
        measured: seconds that measuring took, once it is done.
        busy: clock time of measuring over the seconds that count; 1 on a quiet machine.
        longest: most that a training took here, in seconds that count; 0: none was seen yet.
    """

    asked: float | None
    training: float
    measured: float = 0.0
    busy: float = 1.0
    longest: float = 0.0
    _clock: float = field(default_factory=time.perf_counter)
    _processor: float = field(default_factory=time.process_time)

    @property
    def spent(self) -> float:
        """Return the seconds that count so far."""
        clock = time.perf_counter() - self._clock
        return min(clock, time.process_time() - self._processor)

    @property
    def seconds(self) -> float:
        """Return the seconds in all."""
        if self.asked is not None:
            return self.asked
        return max(LEAST_BUDGET, self.measured + self.training)

    def end_measuring(self) -> None:
        """Note what measuring took, and how busy the machine is."""
        self.measured = self.spent
        clock = time.perf_counter() - self._clock
        self.busy = max(1.0, clock / max(self.measured, 1e-3))

    def note_training(self, began: float, trainings: float = 1.0) -> None:
        """Note what a training took here.

        Args:
            began: ``spent`` before it.
            trainings: that were made.
        """
        self.longest = max(self.longest, (self.spent - began) / trainings)

    @property
    def price(self) -> float:
        """Return about what a training costs, in seconds that count.

        The clock time of the training that is examined says too much where the machine is busy.
        So what trainings took here counts, and before the first one, unless a budget was
        asked for, the machine is taken to have been as busy as it is now.
        """
        if self.longest:
            return min(self.training, self.longest)
        return self.training / self.busy if self.asked is None else self.training

    def allows(self, seconds: float) -> bool:
        """Return whether so many seconds more fit."""
        return self.spent + seconds <= self.seconds

    def wanted(self, seconds: float) -> int:
        """Return the budget to ask for so that so many seconds more fit."""
        return STEP * (1 + int((self.spent + seconds) / STEP))
