"""Which settings of a run are not the head's defaults, and what the defaults reach.

Simple classifiers say little of a head over sequences: they may be no better though its
settings ruin it. The same head with its default settings is a reference that reads the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from features.errors import ManyheadsError
from heads.evaluation.metrics import mean_interval
from heads.settings import HeadSettings, TrainingSettings
from pipeline.doctor.case import Case
from pipeline.doctor.counterfactual import trial_of
from pipeline.doctor.measurements import Measurements, Reference, References
from pipeline.doctor.measurements.data import DEFAULTS
from pipeline.doctor.measuring.parts import Parts
from pipeline.doctor.measuring.references import reference_of

LITTLE = 0.01
"""Points by which the defaults are ahead, from which more texts are asked whether they are."""

HARMLESS = ("refit", "precision", "members", "min_steps")
"""Settings that are left as they are: they cost time."""

CUT = 0.2
"""Share of the texts that ``max_vectors`` must cut to be of interest. Ours."""

MORE = ("epochs", "patience")
"""More of these does no harm: the best epoch is kept."""


def usual_values(head: str) -> dict[str, Any]:
    """Return the default settings of a head, as plain values."""
    from heads.registry import make_settings

    return make_settings(head, {}).model_dump(mode="json")


def departures(case: Case) -> dict[str, Any]:
    """Return the settings that are not the defaults and may matter: name -> default.

    Only of heads that are trained by steps: the others choose their settings themselves.
    """
    if not case.head or not isinstance(case.settings, TrainingSettings):
        return {}
    own = case.settings.model_dump(mode="json")
    return {
        name: usual
        for name, usual in usual_values(case.head).items()
        if name in own and own[name] != usual and not _is_harmless(name, own[name], usual)
        if name != "max_vectors" or _cut_share(case, own[name]) >= CUT
    }


def _is_harmless(name: str, own: Any, usual: Any) -> bool:
    if name in HARMLESS or (name in MORE and own >= usual):
        return True
    if name == "batch_size":
        return bool(own <= usual)  # smaller batches are more steps
    return name == "class_weights" and own == "balanced"


def _cut_share(case: Case, most: int) -> float:
    """Return the share of the texts with more vectors than the head reads."""
    table = case.tables.vectors
    return 0.0 if table is None or not most else float((table.lengths > most).mean())


def default_settings(case: Case) -> HeadSettings:
    """Return the run's settings with those that depart set back to the defaults."""
    own = case.settings.model_dump(mode="json")
    return type(case.settings)(**{**own, **departures(case)})


def seconds_of_defaults(case: Case) -> float:
    """Return about how long the training with default settings takes."""
    settings = default_settings(case)
    assert isinstance(settings, TrainingSettings)
    epochs = settings.for_texts(len(case.train)).epochs
    longer, table, most = 1.0, case.tables.vectors, getattr(case.settings, "max_vectors", 0)
    if table is not None and most and "max_vectors" in departures(case):
        longer = float(table.lengths.mean() / np.minimum(table.lengths, most).mean())
    return case.seconds * longer * max(1.0, epochs / max(1, len(case.history)))


def with_defaults(
    case: Case,
    measured: Measurements,
    parts: Parts | None = None,
    allows: Callable[[float], bool] = lambda trainings: True,
) -> Measurements:
    """Train the same head with its default settings, and return it among the references.

    Nothing is added where that training fails, such as by loss that is not finite.

    Args:
        parts: the case with other texts held out: these are asked too where the validation
            texts leave open whether the defaults are better.
        allows: whether so many trainings more are allowed.
    """
    settings = default_settings(case)
    try:
        trained = case.train_again(settings)
    except ManyheadsError:
        return measured
    case.remember(settings, trained)
    logits = trained.logits(case.tables, case.validation, case.device)
    found = reference_of(case, DEFAULTS, logits.argmax(axis=1))
    pair = trial_of(case, logits, "accuracy", 0.0).likelihoods
    if pair is not None:
        found = replace(found, likelier=mean_interval(pair[1] - pair[0]))
    if parts is not None and _is_open(found):
        found = _on_parts(case, found, logits, settings, parts, allows)
    known = measured.references or References()
    return replace(measured, references=replace(known, references=(*known.references, found)))


def _is_open(found: Reference) -> bool:
    """Return whether a reference may be ahead, and is not beyond noise."""
    return found.ahead >= LITTLE and found.interval[0] <= 0


def _on_parts(
    case: Case,
    found: Reference,
    logits: np.ndarray,
    settings: HeadSettings,
    parts: Parts,
    allows: Callable[[float], bool],
) -> Reference:
    """Return how far the defaults are ahead on further held-out texts, too.

    Args:
        logits: (m, C) of the defaults on the validation texts.
        settings: the defaults.
    """
    labels = case.labels[case.validation]
    ahead = [(logits.argmax(axis=1) == labels).astype(np.float64) - case.right]
    asked = parts.with_settings(settings)
    while allows(2.0):
        pair = next(asked, None)
        if pair is None:
            break
        part, other = pair
        right = other.argmax(axis=1) == part.labels[part.validation]
        ahead.append(right.astype(np.float64) - part.right)
    every = np.concatenate(ahead)
    if len(ahead) == 1:
        return found
    return replace(found, ahead=float(every.mean()), interval=mean_interval(every))
