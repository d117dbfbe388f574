"""One counterfactual that was tried."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.doctor.counterfactual import Counterfactual, Trial


@dataclass(frozen=True, eq=False)
class Tried:
    """One counterfactual that was tried for a cause.

    Attributes:
        cause: its name.
        counterfactual: the change.
        trial: what it did.
        again: whether it was tried with a second seed, too.
        parts: how many parts of the texts were held out in turn for it.
    """

    cause: str
    counterfactual: Counterfactual
    trial: Trial
    again: bool = False
    parts: int = 1
