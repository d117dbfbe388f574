"""The measurements that are made of a case, the free ones first."""

from __future__ import annotations

from pipeline.doctor.measuring.collection import Measurer
from pipeline.doctor.measuring.corpus import measure_audit
from pipeline.doctor.measuring.free import FREE
from pipeline.doctor.measuring.labels.neighbours import measure_neighbours
from pipeline.doctor.measuring.rates import measure_rates
from pipeline.doctor.measuring.references import measure_references
from pipeline.doctor.measuring.sides import measure_sides
from pipeline.doctor.measuring.units import measure_units
from pipeline.doctor.measuring.vectors import measure_vectors

MEASURERS: tuple[Measurer, ...] = (
    *FREE,
    Measurer("sides", measure_sides),
    Measurer("references", measure_references),
    Measurer("neighbours", measure_neighbours),
    Measurer("vectors", measure_vectors),
    Measurer("audit", measure_audit),
    Measurer("units", measure_units),
    Measurer("rates", measure_rates),
)
"""In the order in which they are made."""
