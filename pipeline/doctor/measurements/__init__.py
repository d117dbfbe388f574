"""What is known of one training: groups of plain numbers, None where nothing was measured.

M1 to M16 are the names of the measurements in docs/doctor.md. Shares and accuracies lie in
[0, 1], losses and entropies are in nats, everything about held-out texts is about validation.
"""

from __future__ import annotations

from pipeline.doctor.measurements.data import (
    Audit,
    Labels,
    Neighbours,
    Reference,
    References,
    Sides,
    Vectors,
    WrongLabels,
)
from pipeline.doctor.measurements.foreign import Invariances
from pipeline.doctor.measurements.learning import (
    Epoch,
    Layer,
    Learning,
    Noise,
    RateRange,
    Steps,
    Units,
)
from pipeline.doctor.measurements.measurements import Measurements, Settings

__all__ = [
    "Audit",
    "Epoch",
    "Invariances",
    "Labels",
    "Layer",
    "Learning",
    "Measurements",
    "Neighbours",
    "Noise",
    "RateRange",
    "Reference",
    "References",
    "Settings",
    "Sides",
    "Steps",
    "Units",
    "Vectors",
    "WrongLabels",
]
