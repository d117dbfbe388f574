"""The measurements that are made of a case: name of the group, price, function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.doctor.case import Case
from pipeline.doctor.measuring.corpus import measure_audit
from pipeline.doctor.measuring.learning import measure_learning, measure_steps
from pipeline.doctor.measuring.neighbours import measure_neighbours
from pipeline.doctor.measuring.rates import measure_noise, measure_rates, measure_seeds
from pipeline.doctor.measuring.references import measure_references
from pipeline.doctor.measuring.sides import measure_sides
from pipeline.doctor.measuring.units import measure_units
from pipeline.doctor.measuring.vectors import measure_vectors

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


MEASURERS: tuple[Measurer, ...] = (
    Measurer("learning", "free", measure_learning),
    Measurer("steps", "free", measure_steps),
    Measurer("noise", "free", measure_seeds),
    Measurer("sides", "seconds", measure_sides),
    Measurer("references", "seconds", measure_references),
    Measurer("neighbours", "seconds", measure_neighbours),
    Measurer("vectors", "seconds", measure_vectors),
    Measurer("audit", "seconds", measure_audit),
    Measurer("units", "seconds", measure_units),
    Measurer("rates", "seconds", measure_rates),
    Measurer("noise", "trainings", measure_noise),
)
"""In the order in which they are made."""
