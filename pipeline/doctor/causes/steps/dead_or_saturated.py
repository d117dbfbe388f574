"""Units are dead or saturated before the first step, so no gradient comes through.

A step that is too large kills units as well, but later: what counts is the initial weights.
"""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.signs import assigned, is_low, may_gain
from pipeline.doctor.counterfactual import ChangedSettings
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Layer, Measurements, Steps
from pipeline.doctor.symptom import symptom_of

SHARE = 0.5
"""Of a layer's units [SageMaker 50 %, DeepDiagnosis 50 and 70 %, TheDeepChecker 50 %]."""

RATIO, FIRST = 1e-3, 1e-4
"""Gradient norm of the first layer, over the last one's and by itself [AutoTrainer]."""


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it by units without an answer at the start, or gradients that vanish."""
    units = measured.units
    assert units is not None
    stuck = next((layer for layer in units.layers if _stuck(layer)), None)
    vanishing = vanishes(measured.steps)
    if not (stuck is not None and may_gain(measured)) and not (vanishing and is_low(measured)):
        return None
    changes = _changes(measured)
    if not changes:
        return None
    evidence = []
    if stuck is not None:
        share = max(stuck.dead_at_start or 0.0, stuck.saturated_at_start or 0.0)
        what = f"units of {stuck.name} without a gradient before the first step"
        evidence.append(Evidence(what, f"{share:.0%}", "below 10 % is usual"))
    steps = measured.steps
    if steps is not None and steps.first_gradient is not None:
        last = steps.last_gradient or 0.0
        evidence.append(
            Evidence(
                "gradient of the first layer",
                f"{steps.first_gradient:.2g}",
                f"last layer: {last:.2g}",
            )
        )
    words = assigned((change[0] for change in changes), " or ")
    return Suspicion(
        strength=0.4 * (stuck is not None) + 0.3 * vanishing + 0.2,
        headline=symptom_of(measured),
        explanation="units of a layer are dead or saturated from the start",
        evidence=tuple(evidence),
        remedy=Remedy(f"set {words}", settings=changes[0]),
        counterfactuals=tuple(ChangedSettings(assigned(change), change) for change in changes),
    )


def vanishes(steps: Steps | None) -> bool:
    """Return whether the first layer gets hardly any gradient."""
    if steps is None or steps.first_gradient is None or not steps.last_gradient:
        return False
    return steps.first_gradient < min(FIRST, RATIO * steps.last_gradient)


def _stuck(layer: Layer) -> bool:
    return max(layer.dead_at_start or 0.0, layer.saturated_at_start or 0.0) > SHARE


def _changes(measured: Measurements) -> list[tuple[tuple[str, str], ...]]:
    """Return settings to change, one thing at a time, what is most telling first."""
    values = measured.settings.values
    found: list[tuple[tuple[str, str], ...]] = []
    if not values.get("dense"):
        return []
    if values.get("dense_init", "default") != "default":
        found.append((("dense_init", "default"),))
    if values.get("dense_activation") in ("sigmoid", "tanh"):
        found.append((("dense_activation", "relu"),))
    if not values.get("dense_norm", True):
        found.append((("dense_norm", "true"),))
    return found


DEAD_OR_SATURATED = Cause(
    "dead_or_saturated",
    "dead or saturated units",
    "learning",
    examine,
    needs=("learning", "units"),
)
