"""Change of vectors: every feature scaled alike."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from features.errors import SettingError
from features.tables import as_tables
from features.vectors.table import FeatureTable
from pipeline.doctor.case import Case
from pipeline.doctor.counterfactual import Trial

LEAST = 1e-4
"""Deviation below which a feature is left out."""


def standardized(case: Case) -> Case:
    """Return the case with every feature at mean 0 and deviation 1, constant ones at 0.

    Raises:
        SettingError: the head reads no vectors.
    """
    table = case.tables.vectors
    if table is None:
        raise SettingError("this head reads words alone: there are no vectors to scale")
    seen = np.repeat(np.isin(np.arange(len(table)), case.train), table.lengths)
    values = table.values.astype(np.float32)
    center, deviation = values[seen].mean(axis=0), values[seen].std(axis=0)
    scaled = np.where(deviation > LEAST, (values - center) / np.maximum(deviation, LEAST), 0.0)
    changed = FeatureTable(scaled.astype(np.float32), table.offsets, table.layout)
    return replace(case, tables=as_tables(changed), pooled=None)


def with_standardized(case: Case) -> Trial:
    """Compare the run's head on its vectors with the same head on standardised ones."""
    started = time.perf_counter()
    changed = standardized(case)
    trained = changed.train_again()
    logits = trained.logits(changed.tables, case.validation, case.device)
    right = logits.argmax(axis=1) == case.labels[case.validation]
    return Trial(case.right, right, seconds=time.perf_counter() - started)
