"""Make the measurements of a case, each once; one that fails is left out and named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from features.errors import ManyheadsError
from pipeline.doctor.case import Case
from pipeline.doctor.measurements import Labels, Measurements, Settings
from pipeline.doctor.measuring.defaults import departures, usual_values


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


def measure(
    case: Case,
    known: Measurements | None = None,
    measurers: Sequence[Measurer] | None = None,
) -> tuple[Measurements, tuple[str, ...]]:
    """Return the measurements of a case, and sentences on what could not be measured.

    Args:
        case: the training.
        known: what was measured before; its groups are kept.
        measurers: None: all.
    """
    if measurers is None:
        from pipeline.doctor.measuring.measurers import MEASURERS  # imports faiss

        measurers = MEASURERS
    measured = known or Measurements(settings_of(case), labels_of(case))
    left_out = []
    for each in measurers:
        if getattr(measured, each.group) is not None:
            continue
        try:
            value = each.measure(case)
        except ManyheadsError as error:  # such as texts that cannot be read as words
            left_out.append(f"{each.group} could not be measured: {error}.")
            continue
        measured = replace(measured, **{each.group: value})
    return measured, tuple(left_out)


def still_known(case: Case, changed: Case, measured: Measurements) -> Measurements:
    """Return the measurements that a case has in common with a changed one.

    Args:
        case: before the change.
        changed: with another head, settings, sides or labels.
        measured: of ``case``.
    """
    new = Measurements(settings_of(changed), labels_of(changed))
    if changed.labels is not case.labels or changed.train is not case.train:
        return new
    rates = measured.rates if changed.head == case.head else None
    return replace(new, vectors=measured.vectors, rates=rates)


def settings_of(case: Case) -> Settings:
    """Return what was asked for."""
    usual = {} if not case.head else usual_values(case.head)
    return Settings(
        head=case.head,
        layout=case.tables.layout,
        values=case.settings.model_dump(mode="json"),
        parameters=case.trained.parameters if case.trained is not None else 0,
        encoder=case.config.vectors.encoder if case.config is not None else "",
        train_seconds=round(case.seconds, 3),
        departs=departures(case),
        usual_rate=float(usual.get("learning_rate", 0.0)),
    )


def labels_of(case: Case) -> Labels:
    """Return how many texts each class has."""
    count = len(case.classes)

    def counts(rows: np.ndarray) -> tuple[int, ...]:
        return tuple(np.bincount(case.labels[rows], minlength=count)[:count].tolist())

    return Labels(
        names=case.classes,
        train_counts=counts(case.train),
        validation_counts=counts(case.validation),
        train_texts=len(case.train),
        validation_texts=len(case.validation),
        test_texts=len(case.test),
    )
