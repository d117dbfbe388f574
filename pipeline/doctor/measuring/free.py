"""The measurements that ``train`` makes too; apart, so that it does not import the others."""

from __future__ import annotations

from pipeline.doctor.measuring.learning import measure_learning, measure_steps
from pipeline.doctor.measuring.measurer import Measurer
from pipeline.doctor.measuring.rates import measure_seeds

FREE: tuple[Measurer, ...] = (
    Measurer("learning", "free", measure_learning),
    Measurer("steps", "free", measure_steps),
    Measurer("noise", "free", measure_seeds),
)
"""In the order in which they are made."""
