"""M5 and M6: dead and saturated units, and how far back a head sees in a sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from features.vectors.table import FeatureTable
from heads.settings import TrainingSettings
from pipeline.doctor.case import Case
from pipeline.doctor.measurements import Layer, Units

if TYPE_CHECKING:
    from heads.head import SequenceHead
    from heads.problem import Problem

SIZES = ("dense", "units", "filters", "values")
"""Settings that say how large a layer is."""


def measure_units(case: Case) -> Units | None:
    """Return what the layers of a head do; None of heads without steps or without vectors.

    Before the first step it is the head with its initial weights, made again from the seed;
    afterwards the head before its refit, where that is at hand.
    """
    table = case.tables.vectors
    if table is not None and case.trained is not None and case.trained.reads:
        table = case.tables.encoders[case.trained.table]
    if table is None or not case.head or not isinstance(case.settings, TrainingSettings):
        return None
    from heads.registry import head_type  # these import torch
    from heads.training.batches import seen_lengths
    from heads.training.inspection import look_at_units, look_back
    from heads.training.trainer import initial_head

    problem = _problem(case, table)
    build = head_type(case.head).build
    initial: SequenceHead = initial_head(build, case.settings, problem, case.seed)  # type: ignore[arg-type]
    rows = case.train
    at_start = look_at_units(initial, table, rows)
    trained = None if case.trained is None or not case.trained.state else case.trained.module
    known = rows[case.labels[rows] < len(case.classes)]
    judged: SequenceHead = initial if trained is None else trained  # type: ignore[assignment]
    now = at_start if trained is None else look_at_units(judged, table, rows)
    lengths = seen_lengths(table, rows, initial.max_vectors)
    sequence = int(lengths.max()) > 1
    return Units(
        layers=tuple(
            Layer(
                after.name,
                after.kind,
                after.units,
                after.dead,
                after.saturated,
                before.dead,
                before.saturated,
            )
            for after, before in zip(now, at_start, strict=True)
        ),
        median_length=float(np.median(lengths)),
        reach=look_back(judged, table, case.labels, known) if sequence else (),
        smallest_layer=_smallest(case.settings),
    )


def _problem(case: Case, table: FeatureTable) -> Problem:
    from heads.problem import Problem

    sides = case.train, case.validation
    return Problem(table, case.labels, *sides, len(case.classes), case.classes)


def _smallest(settings: TrainingSettings) -> int | None:
    """Return the units of the smallest layer before the output; None without layers."""
    sizes: list[int] = []
    for name in SIZES:
        value = getattr(settings, name, None)
        if isinstance(value, int) and value > 0:
            sizes.append(value)
        elif isinstance(value, tuple):
            sizes += [int(each) for each in value]
    return min(sizes, default=None)
