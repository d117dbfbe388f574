"""What can be changed about a classifier that a user brings, without touching its code."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from heads.examination.invariances import PADDED
from heads.examination.learning import Learned, Loop, predict
from heads.examination.modes import training_mode_logits
from pipeline.doctor.case import Case
from pipeline.doctor.counterfactual import Expected, Rescoring, Trial, log_shares, trial_of
from pipeline.doctor.foreign.case import EstimatorCase, ModuleCase
from pipeline.doctor.foreign.estimator import refitted
from pipeline.doctor.proving.judgement import CLOSE, POINTS
from pipeline.doctor.proving.prover import pooled_trial


@dataclass(frozen=True)
class ChangedLoop:
    """Train the module again with one thing changed around it.

    A difference that two seeds could make is asked for with a second seed.

    Attributes:
        change: in words.
        loop: fields of ``Loop`` to change.
        measure: ``accuracy`` or ``macro_f1`` on validation; or ``training_loss``, minus the
            loss of each training text, so that more is better.
        trainings, expected: see ``Counterfactual``.
        trains: False: it asks for the second seed itself.
        mends: whether it is what the remedy asks for, so that what else is wrong can be seen.
    """

    change: str
    loop: tuple[tuple[str, Any], ...]
    measure: Literal["accuracy", "macro_f1", "training_loss"] = "accuracy"
    trainings: float = 1.0
    expected: Expected = "rises"
    trains: bool = False
    mends: bool = False

    def in_place(self, case: Case) -> Case | None:
        """Return the case with the change in place; None where the remedy is another one."""
        return _module(case).relearned(**dict(self.loop)) if self.mends else None

    def run(self, case: Case) -> Trial:
        """Train and predict the validation texts."""
        module = _module(case)
        started = time.perf_counter()
        first = self._trial(module, module.seed)
        gain = abs(float(np.mean(first.after) - np.mean(first.before)))
        close = self.measure == "accuracy" and POINTS <= gain < CLOSE
        if close or self.measure == "macro_f1":
            first = pooled_trial(first, self._trial(module, module.seed + 1))
        return replace(first, seconds=time.perf_counter() - started)

    def _trial(self, case: ModuleCase, seed: int) -> Trial:
        first = case.relearn(seed=seed)
        changed = case.relearn(seed=seed, **dict(self.loop))
        if self.measure == "training_loss":
            labels = case.labels[first.train_rows]
            before = log_shares(first.train_logits, labels)
            after = log_shares(changed.train_logits, labels)
            return Trial(before, after, measure="log likelihood of a training text")
        return trial_of(replace(case, logits=first.logits), changed.logits, self.measure, 0.0)


@dataclass(frozen=True)
class ChangedEstimator:
    """Fit an estimator anew with one thing changed.

    Attributes:
        change: in words.
        make: the estimator -> another one, not fitted.
        measure: ``accuracy`` or ``macro_f1`` on validation.
        trainings, expected, trains, mends: see ``Counterfactual`` and ``ChangedLoop``.
    """

    change: str
    make: Callable[[Any], Any]
    measure: Literal["accuracy", "macro_f1"] = "accuracy"
    trainings: float = 1.0
    expected: Expected = "rises"
    trains: bool = False
    mends: bool = True

    def in_place(self, case: Case) -> Case | None:
        """Return the case with the change in place."""
        assert isinstance(case, EstimatorCase)
        return refitted(case, self.make)

    def run(self, case: Case) -> Trial:
        """Fit it and predict the validation texts."""
        assert isinstance(case, EstimatorCase)
        started = time.perf_counter()
        changed = refitted(case, self.make)
        return trial_of(case, changed.logits, self.measure, time.perf_counter() - started)


def more_padding() -> Rescoring:
    """Return the same module, each batch behind 20 more padded positions."""

    def compare(case: Case) -> Trial:
        return _rescored(case, lambda one, loop: _padded_logits(_module(case), one, loop))

    change = f"{PADDED} more padded positions behind each text, nothing trained"
    # As dear as a training, so that it is tried behind the one that says what the fault costs.
    return Rescoring(change, compare, trainings=1.0, expected="falls")


def one_by_one() -> Rescoring:
    """Return the same classifier, asked for one text at a time."""

    def compare(case: Case) -> Trial:
        if isinstance(case, EstimatorCase):
            return trial_of(case, case.scored_alone(), "accuracy", 0.0)
        return _rescored(
            case, lambda one, loop: _logits(case, one, replace(loop, batch_size=1))
        )

    return Rescoring("each text by itself, nothing trained", compare, expected="falls")


def in_training_mode() -> Rescoring:
    """Return the same module in training mode, dropout off."""

    def compare(case: Case) -> Trial:
        own = _module(case)
        assert own.problem is not None

        def logits(one: Learned, loop: Loop) -> np.ndarray:
            return training_mode_logits(one.module, own.problem.table, own.validation, loop)  # type: ignore[union-attr]

        return _rescored(case, logits)

    return Rescoring("scored in training mode, dropout off", compare)


def by_plain_loop() -> Rescoring:
    """Return the same module by the plain loop in place of the user's."""

    def compare(case: Case) -> Trial:
        own = _module(case)
        assert own.looped is not None
        truth = own.labels[own.validation]
        return Trial(own.looped.logits.argmax(axis=1) == truth, own.right)

    return Rescoring("the plain loop in place of yours", compare)


def by_assignment(order: tuple[int, ...]) -> Rescoring:
    """Return the same predictions with the classes in another order."""

    def compare(case: Case) -> Trial:
        truth = case.labels[case.validation]
        return Trial(case.right, np.array(order)[case.predicted] == truth)

    return Rescoring("classes in the order that fits the training texts", compare)


def _rescored(case: Case, logits: Callable[[Learned, Loop], np.ndarray]) -> Trial:
    own = _module(case)
    assert own.learned is not None
    started = time.perf_counter()
    found = logits(own.learned, own.learned.loop)
    return trial_of(case, found, "accuracy", time.perf_counter() - started)


def _logits(case: Case, one: Learned, loop: Loop) -> np.ndarray:
    own = _module(case)
    assert own.problem is not None
    return predict(one.module, own.problem.table, own.validation, loop)


def _padded_logits(case: ModuleCase, one: Learned, loop: Loop) -> np.ndarray:
    assert case.problem is not None
    return predict(
        one.module, case.problem.table, case.validation, replace(loop, more_padding=PADDED)
    )


def _module(case: Case) -> ModuleCase:
    assert isinstance(case, ModuleCase)
    return case
