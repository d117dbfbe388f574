"""All that is known of a training, and what was asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline.doctor.measurements.data import (
    DEFAULTS,
    Audit,
    Labels,
    Neighbours,
    References,
    Sides,
    Vectors,
)
from pipeline.doctor.measurements.foreign import Invariances
from pipeline.doctor.measurements.learning import Learning, Noise, RateRange, Steps, Units

UNEVEN = 3.0
"""Largest over smallest class, from which accuracy says little of the rare ones. Ours."""


@dataclass(frozen=True)
class Settings:
    """What was asked for.

    Attributes:
        head: name in the registry; '' of a head that a user brings.
        layout: of the tables, such as ``tokens`` or ``pooled,words``.
        values: settings of the head, defaults included.
        parameters: learned numbers.
        encoder: its name; '' of arrays.
        train_seconds: of the training.
        departs: settings that may matter and are not the defaults of the head: name -> default.
        usual_rate: default step size of the head; 0 of heads without steps.
    """

    head: str
    layout: str
    values: Mapping[str, Any] = field(default_factory=dict)
    parameters: int = 0
    encoder: str = ""
    train_seconds: float = 0.0
    departs: Mapping[str, Any] = field(default_factory=dict)
    usual_rate: float = 0.0

    def number(self, name: str, otherwise: float = 0.0) -> float:
        """Return a setting that is a number; ``otherwise`` of a head that lacks it."""
        return float(self.values.get(name, otherwise))


@dataclass(frozen=True)
class Measurements:
    """All that is known of a training. Rules read this and nothing else."""

    settings: Settings
    labels: Labels
    learning: Learning | None = None
    steps: Steps | None = None
    units: Units | None = None
    references: References | None = None
    neighbours: Neighbours | None = None
    sides: Sides | None = None
    audit: Audit | None = None
    vectors: Vectors | None = None
    invariances: Invariances | None = None
    noise: Noise | None = None
    rates: RateRange | None = None

    @property
    def missing_points(self) -> float:
        """Return what the best reference is ahead of the head by; 0 where it is not."""
        best = None if self.references is None else self.references.best
        return max(0.0, best.ahead) if best and not self.traded else 0.0

    @property
    def defaults_ahead(self) -> float:
        """Return what the head with default settings is ahead by, if beyond noise, else 0.

        With few texts the probabilities of the right classes say it before accuracy does.
        """
        found = None if self.references is None else self.references.named(DEFAULTS)
        if found is None:
            return 0.0
        beyond = found.interval[0] > 0 or (found.likelier is not None and found.likelier[0] > 0)
        return max(0.0, found.ahead) if beyond else 0.0

    @property
    def behind(self) -> bool:
        """Return whether the best reference is better than the head beyond noise."""
        best = None if self.references is None else self.references.best
        return best is not None and best.interval[0] > 0 and not self.traded

    @property
    def weighed(self) -> bool:
        """Return whether classes are weighed, in a head or in an estimator."""
        if self.settings.values.get("class_weights", "none") != "none":
            return True
        own = () if self.invariances is None else self.invariances.parameters
        return any(name.endswith("class_weight") for name, _ in own)

    @property
    def traded(self) -> bool:
        """Return whether the best reference is ahead by accuracy alone, which weights of uneven
        classes give away for the rare ones.
        """
        best = None if self.references is None else self.references.best
        if best is None or self.learning is None or not self.weighed:
            return False
        ahead = best.ahead > 0 and best.macro_f1 <= self.learning.macro_f1
        return ahead and self.labels.imbalance >= UNEVEN

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; NaN and infinities become None."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
