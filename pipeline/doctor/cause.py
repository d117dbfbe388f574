"""A cause: its name, the user's words for it, and the rule that suspects it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.doctor.findings import RuledOut, Suspicion
from pipeline.doctor.measurements import Measurements

Stage = Literal["function", "belonging", "sides", "learning"]
"""Order of examination: is it a function and scored rightly (foreign code); do texts and labels
belong together; are the sides fit; why does it not learn more."""

STAGES: tuple[Stage, ...] = ("function", "belonging", "sides", "learning")


WORTH = 0.3
"""Strength of a suspicion from which it is tried."""


def _never(measurements: Measurements) -> str | None:
    return None


@dataclass(frozen=True)
class Cause:
    """One cause.

    Attributes:
        name: as docs and ``--json`` have it, such as ``step_too_large``.
        title: for people, such as ``step size too large``.
        stage: of the examination.
        examine: pure; None: not suspected, or not measured.
        exclude: pure; in words with its number, why it is not this one, such as ``logistic
            reaches 63.7 %``; None: cannot be said. Told in the line "Ruled out".
        needs: fields of ``Measurements`` without which it cannot be suspected.
    """

    name: str
    title: str
    stage: Stage
    examine: Callable[[Measurements], Suspicion | None]
    exclude: Callable[[Measurements], str | None] = _never
    needs: tuple[str, ...] = ("learning",)

    def suspect(self, measurements: Measurements) -> Suspicion | None:
        """Return the suspicion; None where something it needs was not measured."""
        if any(getattr(measurements, name) is None for name in self.needs):
            return None
        return self.examine(measurements)

    def rule_out(self, measurements: Measurements) -> RuledOut | None:
        """Return why it is not this cause, or None."""
        if any(getattr(measurements, name) is None for name in self.needs):
            return None
        why = self.exclude(measurements)
        return None if why is None else RuledOut(self.name, why)


@dataclass(frozen=True)
class Suspected:
    """A cause with the suspicion of it."""

    cause: Cause
    suspicion: Suspicion

    @property
    def order(self) -> tuple[int, float]:
        """Return the stage, then the strength and what its proof costs."""
        cheapest = min((one.trainings for one in self.suspicion.counterfactuals), default=0.0)
        return STAGES.index(self.cause.stage), -self.suspicion.strength / (1 + cheapest)


def suspicions(measured: Measurements, causes: Sequence[Cause]) -> list[Suspected]:
    """Return what is suspected, what is examined first before the others; pure."""
    found = [
        Suspected(cause, suspicion)
        for cause in causes
        if (suspicion := cause.suspect(measured)) is not None and suspicion.strength >= WORTH
    ]
    excluded = {
        name for each in found if each.suspicion.measured for name in each.suspicion.excludes
    }
    return sorted(
        (each for each in found if each.cause.name not in excluded), key=lambda each: each.order
    )
