"""Settings far from the defaults, where the same head with its defaults is better.

A rule of a cause looks at how the training went. Where it sees nothing, but the defaults are
ahead beyond noise, one of the settings that are not the defaults is at fault: each cause has
its group of them, and the counterfactual sets that group back, alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.signs import (
    AHEAD,
    BY_HEART,
    DROPOUTS,
    learns_its_texts,
    reference_evidence,
)
from pipeline.doctor.counterfactual import ChangedSettings
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Measurements
from pipeline.doctor.measurements.data import DEFAULTS
from pipeline.doctor.symptom import symptom_of

ADAPTIVE = ("adamw", "adam", "rmsprop")
"""Optimizers whose step size is of one scale; the default one suits all of them."""

TIMES = 1.5
"""Times the default from which a step size or a size departs. Ours."""

NEAR = 2.0
"""How far from the default step size one is tried, in times. Ours."""

FEW_UNITS = 16
"""Units of a dense layer that are few whatever the data. Ours."""

WEAKENED = 0.7
"""Left of the strength of a rule that the defaults speak against. Ours."""

DEEP = 3
"""Dense layers from which a stack is deep. Ours."""

SLOW = -2.6
"""log10 of the change of the weights in a step, below which they hardly move. Ours."""

FAR = 0.09
"""Added to the strength of a group for a setting ten times its default. Ours."""

FURTHER = 0.3
"""Strength of a group of which only further settings depart: tried last. Ours."""

SHOWN = 2


@dataclass(frozen=True)
class Group:
    """The settings of one cause.

    Attributes:
        explanation: one clause, as in ``Suspicion``.
        fields: names of the settings.
        departs: (name, own value, default, measured) -> whether it departs in the direction of
            the cause.
        strength: how often it is at fault, before anything else is known. Below that of
            ``LIKELY``: without proof nothing is told.
        further: names of more settings, set back where none of ``fields`` departs.
        further_explanation: one clause for these.
    """

    explanation: str
    fields: tuple[str, ...]
    departs: Callable[[str, Any, Any, Measurements], bool]
    strength: float = 0.4
    further: tuple[str, ...] = ()
    further_explanation: str = ""


def _above(name: str, own: Any, usual: Any, measured: Measurements) -> bool:
    return float(own) > float(usual)


def _below(name: str, own: Any, usual: Any, measured: Measurements) -> bool:
    return float(own) < float(usual)


def _any(name: str, own: Any, usual: Any, measured: Measurements) -> bool:
    return True


def _larger_step(name: str, own: Any, usual: Any, measured: Measurements) -> bool:
    if name == "schedule":
        return bool(own == "constant")  # it never falls
    if name == "clip":
        return not own or float(own) > float(usual)
    if name in ("warmup", "averaging"):
        return float(own) < float(usual)
    return is_adaptive(measured) and float(own) > TIMES * float(usual)


def _smaller_step(name: str, own: Any, usual: Any, measured: Measurements) -> bool:
    if name in ("warmup", "averaging"):
        return float(own) > float(usual)
    if not is_adaptive(measured):
        # Its step size is of another scale: both are set back, where the weights hardly move.
        return name in OPTIMIZER and _hardly_moves(measured)
    return name == "learning_rate" and float(own) * TIMES < float(usual)


def _hardly_moves(measured: Measurements) -> bool:
    steps = measured.steps
    return steps is not None and steps.update_ratio < SLOW


def _fewer(name: str, own: Any, usual: Any, measured: Measurements) -> bool:
    return float(own) > float(usual) if name == "batch_size" else float(own) < float(usual)


def _smaller(name: str, own: Any, usual: Any, measured: Measurements) -> bool:
    if name == "dense":
        few = max(FEW_UNITS, len(measured.labels.names))
        return bool(own) and min(own) < min([few, *usual])
    return float(own) * TIMES < float(usual)


def _larger(name: str, own: Any, usual: Any, measured: Measurements) -> bool:
    if not learns_its_texts(measured, BY_HEART):
        return False
    if name == "dense":
        return bool(sum(own) > TIMES * sum(usual))
    return float(own) > TIMES * float(usual)


def _of_layers(name: str, own: Any, usual: Any, measured: Measurements) -> bool:
    if name != "dense":
        return True
    # A deep stack is set back as a whole, with what its layers are made of.
    return len(own) >= DEEP and any(each in measured.settings.departs for each in LAYERS)


def _last(name: str, own: Any, usual: Any, measured: Measurements) -> bool:
    return bool(own == "last")


OPTIMIZER = ("learning_rate", "optimizer", "momentum")
WIDTHS = ("units", "filters", "values", "dense")
LAYERS = ("dense_activation", "dense_init", "dense_std")

# fmt: off
GROUPS = {
    "step_too_large": Group("the step size is too large", ("learning_rate",), _larger_step,
                            0.5, ("warmup", "schedule", "averaging", "clip"),
                            "steps stay too large: they are not warmed up, never fall, or are "
                            "neither averaged nor clipped"),
    "step_too_small": Group("the step size is too small", OPTIMIZER, _smaller_step,
                            0.5, ("warmup", "averaging"),
                            "the weights that are kept lag behind: the steps rise for too "
                            "long, or too many are averaged"),
    "too_few_steps": Group("the training ends too early", ("epochs", "patience", "batch_size"),
                           _fewer),
    "over_regularised": Group("the head is held back by regularisation",
                              (*DROPOUTS, "weight_decay", "label_smoothing"), _above, 0.45),
    "too_small_head": Group("the head is too small", WIDTHS, _smaller, 0.45),
    "overfit": Group("the head is too large for these texts", WIDTHS, _larger, 0.35),
    "loss_distorted": Group("the loss is distorted",
                            ("loss", "focal_gamma", "hardest", "class_weights"), _any, 0.5),
    "dead_or_saturated": Group("units of a layer are dead or saturated from the start",
                               (*LAYERS, "dense"), _of_layers, 0.45),
    "cut_off": Group("the head reads only the first vectors of a text", ("max_vectors",), _any,
                     0.45),
    "long_last_state": Group("the last state forgets the beginning of a text", ("pooling",),
                             _last),
}
# fmt: on


def is_adaptive(measured: Measurements) -> bool:
    """Return whether the optimizer scales its own steps, so that defaults say what is usual."""
    return measured.settings.values.get("optimizer") in ADAPTIVE


def is_usual_rate(measured: Measurements) -> bool:
    """Return whether the step size is at least about the default one, on the same scale."""
    usual = measured.settings.usual_rate
    own = measured.settings.number("learning_rate")
    return usual > 0 and is_adaptive(measured) and own * TIMES >= usual


def wanted_rate(measured: Measurements, suggestion: float) -> float:
    """Return the step size to try: what a range test suggests, not far from the default one.

    The range test errs by a few times either way, as short as it is.
    """
    usual = measured.settings.usual_rate
    if usual <= 0 or not is_adaptive(measured):
        return suggestion
    return min(max(suggestion, usual / NEAR), usual * NEAR)


def departed(
    measured: Measurements, name: str, further: bool = False
) -> tuple[tuple[str, str], ...]:
    """Return what sets a cause's settings back to the defaults; () where none departs.

    Args:
        name: of the cause.
        further: look at the further settings of its group instead.
    """
    group, settings = GROUPS[name], measured.settings
    return tuple(
        (each, _text(usual))
        for each, usual in settings.departs.items()
        if each in (group.further if further else group.fields)
        and group.departs(each, settings.values.get(each), usual, measured)
    )


def from_defaults(measured: Measurements, name: str) -> Suspicion | None:
    """Return the suspicion of a cause by its settings, where the defaults are ahead."""
    if measured.defaults_ahead < AHEAD:
        return None
    group, values = GROUPS[name], measured.settings.values
    own = departed(measured, name)
    changed = own or departed(measured, name, further=True)
    if not changed:
        return None
    words = ", ".join(f"{each}={value or chr(39) * 2}" for each, value in changed)
    return Suspicion(
        strength=(group.strength if own else FURTHER)
        + FAR * max(_far(each, measured) for each, _ in changed),
        headline=symptom_of(measured),
        explanation=group.explanation if own else group.further_explanation,
        evidence=(
            *reference_evidence(measured),
            *_shown(changed, values),
        ),
        remedy=Remedy(f"set {words}, the default", settings=changed),
        counterfactuals=(ChangedSettings(f"back to {words}", changed),),
    )


def _trust(measured: Measurements, name: str) -> float:
    """Return what is left of the strength of a cause's own rule, once the defaults are known.

    Where they are no better, no setting is at fault. Where they are, it is one that departs.
    """
    references = measured.references
    if references is None or references.named(DEFAULTS) is None:
        return 1.0
    if measured.defaults_ahead < AHEAD:
        return WEAKENED
    by_scale = "learning_rate" in GROUPS[name].fields and not is_adaptive(measured)
    return 1.0 if by_scale or departed(measured, name) else WEAKENED


def _far(name: str, measured: Measurements) -> float:
    """Return how far a setting is from its default, in [0, 1]; 1: ten times and more."""
    own, usual = measured.settings.values.get(name), measured.settings.departs[name]
    if not isinstance(own, int | float) or not isinstance(usual, int | float):
        return 0.5
    if name in DROPOUTS:
        own, usual = 1 - own, 1 - usual
    if min(own, usual) <= 0:
        return 0.5
    return min(1.0, abs(math.log10(own / usual)))


def _shown(changed: Sequence[tuple[str, str]], values: Any) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(each, _text(values.get(each)) or "none", f"default: {value or 'none'}")
        for each, value in changed[:SHOWN]
    )


def _text(value: Any) -> str:
    """Return a plain value as ``--set`` takes it."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def beside_defaults(cause: Cause) -> Cause:
    """Return a cause that is also suspected by its settings, if its own rule sees nothing."""
    if cause.name not in GROUPS:
        return cause

    def examine(measured: Measurements) -> Suspicion | None:
        own, back = cause.examine(measured), from_defaults(measured, cause.name)
        if own is None:
            return back
        tries = (*own.counterfactuals, *(() if back is None else back.counterfactuals))
        strength = own.strength * _trust(measured, cause.name)
        return replace(own, strength=strength, counterfactuals=tries)

    return replace(cause, examine=examine)
