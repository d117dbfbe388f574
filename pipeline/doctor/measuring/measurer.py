"""A measurement that is made of a case: name of the group, function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.doctor.case import Case


@dataclass(frozen=True)
class Measurer:
    """One measurement.

    Attributes:
        group: field of ``Measurements`` that it fills.
        measure: Case -> value of the field, None where it does not apply to the case. It
            imports what is slow inside.
    """

    group: str
    measure: Callable[[Case], Any]
