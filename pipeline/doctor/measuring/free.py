"""The measurements that ``train`` makes too, in 3 % of its time; it imports no others."""

from __future__ import annotations

from pipeline.doctor.measuring.collection import Measurer
from pipeline.doctor.measuring.learning import measure_learning, measure_steps
from pipeline.doctor.measuring.rates import measure_seeds

FREE: tuple[Measurer, ...] = (
    Measurer("learning", measure_learning),
    Measurer("steps", measure_steps),
    Measurer("noise", measure_seeds),
)
"""In the order in which they are made."""
