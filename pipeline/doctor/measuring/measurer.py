"""A measurement that is made of a case: name of the group, price, function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.doctor.case import Case

Price = Literal["free", "seconds", "trainings"]
"""free: at most 3 % of a training, so ``train`` makes it too; seconds: the doctor makes it
always; trainings: only on request, within the budget."""


@dataclass(frozen=True)
class Measurer:
    """One measurement.

    Attributes:
        group: field of ``Measurements`` that it fills.
        price: what it costs.
        measure: Case -> value of the field, None where it does not apply to the case. It
            imports what is slow inside.
    """

    group: str
    price: Price
    measure: Callable[[Case], Any]
