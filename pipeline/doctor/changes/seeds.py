"""Another seed of the run, the one that learned least, with and without a change."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from heads.registry import make_settings
from pipeline.doctor.case import Case
from pipeline.doctor.counterfactual import Trial


def with_failed_seed(changed: tuple[tuple[str, str], ...]) -> Callable[[Case], Trial]:
    """Return a comparison of the seed that learned least, as it was and with other settings."""

    def compare(case: Case) -> Trial:
        started = time.perf_counter()
        own = (case.seed, float(case.right.mean()))
        seed = min((own, *case.other_seeds), key=lambda each: each[1])[0]
        settings = make_settings(case.head, {**case.settings.model_dump(), **dict(changed)})
        before = _right(replace(case, seed=seed))
        after = _right(replace(case, seed=seed, settings=settings))
        return Trial(before, after, seconds=time.perf_counter() - started)

    return compare


def _right(case: Case) -> np.ndarray:
    """Train and return (m,) bool: validation texts that are labelled rightly."""
    trained = case.train_again()
    logits = trained.logits(case.tables, case.validation, case.device)
    right: np.ndarray = logits.argmax(axis=1) == case.labels[case.validation]
    return right
