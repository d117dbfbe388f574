"""Timing: both sides in turn, the median of several rounds, one result a comparison."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Result:
    """One measured comparison.

    Attributes:
        name: what was compared with what.
        ours, theirs: seconds; ``theirs`` is None for a plain wall time.
        goal: the ratio to reach, or for a wall time the seconds to stay below.
        notes: what else was seen, such as cosines.
        kept: what speed must not cost, such as the vectors' likeness, was kept.
    """

    name: str
    ours: float
    theirs: float | None
    goal: float
    notes: dict[str, float | str] = field(default_factory=dict)
    kept: bool = True

    @property
    def ratio(self) -> float | None:
        """How many times as fast as theirs ours is."""
        return None if self.theirs is None else self.theirs / self.ours

    @property
    def reached(self) -> bool:
        fast = self.ours <= self.goal if self.ratio is None else self.ratio >= self.goal
        return fast and self.kept

    def line(self) -> str:
        """One line for people."""
        notes = ", ".join(f"{name} {_shown(value)}" for name, value in self.notes.items())
        verdict = "reached" if self.reached else "NOT reached"
        if self.ratio is None:
            figures = f"{self.ours:.2f} s (goal: at most {self.goal} s, {verdict})"
        else:
            figures = (
                f"{self.ratio:.2f} times as fast, {self.ours:.3f} s against "
                f"{self.theirs:.3f} s (goal {self.goal}, {verdict})"
            )
        return f"{self.name}: {figures}" + (f"; {notes}" if notes else "")


def in_turn(rounds: int, *sides: Callable[[], object]) -> list[float]:
    """Median seconds of each side, in turn: a slow moment hits all of them."""
    seconds: list[list[float]] = [[] for _ in sides]
    for _ in range(rounds):
        for times, side in zip(seconds, sides, strict=True):
            start = time.perf_counter()
            side()
            times.append(time.perf_counter() - start)
    return [statistics.median(times) for times in seconds]


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
