"""Examine an estimator as scikit-learn has them: fit and predict_proba over vectors."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from features.errors import ModuleError
from heads.evaluation.assignment import best_assignment
from heads.examination.module import failure
from heads.problem import Problem
from pipeline.doctor.foreign.case import EstimatorCase, facts_of
from pipeline.doctor.foreign.refitted import changed_parameters
from pipeline.doctor.measurements import Invariances
from pipeline.doctor.measuring.pooled import means

LEAST = 1e-12
"""Probabilities below it count as this."""

TEXTS, ALONE = 64, 16
"""Texts of a batch, and those of them that are asked for by themselves."""


def estimator_case(estimator: Any, problem: Problem, name: str) -> EstimatorCase:
    """Return the case of an estimator: as it is if it is fitted, else a clone fitted here.

    Raises:
        ModuleError: it fails, or its probabilities are not (n, C).
    """
    from sklearn.base import clone

    x = np.asarray(means(problem.table), dtype=np.float32)
    started = time.perf_counter()
    fitted_here = not _is_fitted(estimator)
    if fitted_here:
        estimator = clone(estimator, safe=False)
        try:
            estimator.fit(x[problem.train], problem.labels[problem.train])
        except Exception as error:
            raise ModuleError(f"{name}.fit fails: {failure(error)}") from error
    seconds = time.perf_counter() - started

    def score(rows: np.ndarray) -> np.ndarray:
        found = probabilities(estimator, rows, problem.classes, name)
        logs: np.ndarray = np.log(np.maximum(found, LEAST)).astype(np.float32)
        return logs

    logits, own = score(x[problem.validation]), score(x[problem.train])
    return EstimatorCase(
        **facts_of(problem, problem.train, own),
        test=problem.validation[:0],
        logits=logits,
        seconds=seconds,
        pooled=x,
        name=name,
        score=score,
        estimator=estimator,
        fitted_here=fitted_here,
    )


def refitted(case: EstimatorCase, change: Callable[[Any], Any]) -> EstimatorCase:
    """Return the case of an estimator with one thing changed, fitted anew.

    Args:
        case: of the estimator.
        change: makes another one of it, which is not fitted.

    Raises:
        ModuleError: it fails.
    """
    assert case.problem is not None
    made = estimator_case(change(case.estimator), case.problem, case.name)
    return replace(made, test=case.test)


def probabilities(estimator: Any, rows: np.ndarray, classes: int, name: str) -> np.ndarray:
    """Return (n, C) float64 probabilities as the estimator gives them, its columns unmoved.

    Fewer columns than C are those of ``classes_``: a class had no training text.

    Raises:
        ModuleError: it fails, or gives another shape.
    """
    try:
        found = np.asarray(estimator.predict_proba(rows), dtype=np.float64)
    except Exception as error:
        raise ModuleError(f"{name}.predict_proba fails: {failure(error)}") from error
    if found.ndim != 2 or len(found) != len(rows) or found.shape[1] > classes:
        raise ModuleError(
            f"{name}.predict_proba must return ({len(rows)}, {classes}), one row per text and "
            f"one column per class; it returned {found.shape}"
        )
    if found.shape[1] == classes:
        return found
    known = np.asarray(getattr(estimator, "classes_", np.arange(found.shape[1])))
    if known.dtype.kind not in "iu" or known.max(initial=0) >= classes:
        known = np.arange(found.shape[1])
    whole = np.zeros((len(found), classes))  # a class without training texts has no column
    whole[:, known] = found
    return whole


def measure_estimator(case: EstimatorCase) -> Invariances:
    """Return what is measured of an estimator: other company, sums, order of classes."""
    score, pooled = case.score, case.pooled
    assert score is not None
    assert pooled is not None
    rows = pooled[case.validation[:TEXTS]]
    usual = np.exp(score(rows))
    scale = max(float(usual.std(axis=0).mean()), 1e-6)

    def gap(found: np.ndarray, wanted: np.ndarray = usual) -> float:
        return float(np.abs(np.exp(found) - wanted).max()) / scale

    few = rows[:ALONE]
    own = score(pooled[case.train]).argmax(axis=1)
    assigned = best_assignment(case.labels[case.train], own, len(case.classes))
    order = assigned.classes
    truth = case.labels[case.validation]
    return Invariances(
        alone=None,
        neighbours=gap(np.concatenate([score(row[None]) for row in few]), usual[:ALONE]),
        reversed=gap(score(rows[::-1])[::-1]),
        twice=gap(score(rows)),
        bounded=True,
        sums_to_one=bool(np.all(np.abs(usual.sum(axis=1) - 1) < 1e-3)),
        best_assignment=float((order[case.predicted] == truth).mean()),
        order=tuple(order.tolist()),
        measured_score=float(case.right.mean()),
        fitted_here=case.fitted_here,
        parameters=changed_parameters(case.estimator),
    )


def _is_fitted(estimator: Any) -> bool:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    except TypeError:  # not of scikit-learn
        return hasattr(estimator, "classes_")
    return True
