"""Counterfactuals: the run with one thing changed, on the same texts and with the same seed.

Each kind gives a ``Trial``, numbers by text before and after; ``judgement`` says what it means.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

if TYPE_CHECKING:
    from features.tables import FeatureTables
    from heads.settings import HeadSettings
    from heads.trained import TrainedHead
    from pipeline.doctor.case import Case

Expected = Literal["rises", "falls"]
"""What the measure does if the cause holds; where a score was too good it falls."""

Statistic = Literal["mean", "macro_f1"]


@dataclass(frozen=True, eq=False)
class Trial:
    """What a change did.

    Attributes:
        before, after: by text. Of ``mean``: values, (n,) float64 or bool, such as rightness or
            neighbours that agree. Of ``macro_f1``: predicted class ids.
        labels: (n,) class ids, for ``macro_f1``.
        paired: whether both are of the same texts in one order; else two sets of texts are
            compared, such as those with and without a copy.
        measure: what the numbers are, for people.
        statistic: what is made of them.
        seconds: it took.
        curve: validation accuracy by epoch of the changed training; () where none was made.
        likelihoods: by text, log probability of the true class before and after, each at its
            best temperature; None where not computed. They decide where texts are few.
        trained: the changed head; None where none was trained, or more than one.
    """

    before: np.ndarray
    after: np.ndarray
    measure: str = "accuracy"
    statistic: Statistic = "mean"
    labels: np.ndarray | None = None
    paired: bool = True
    seconds: float = 0.0
    curve: tuple[float, ...] = ()
    likelihoods: tuple[np.ndarray, np.ndarray] | None = None
    trained: TrainedHead | None = None


class Counterfactual(Protocol):
    """One change.

    Attributes:
        change: in words, what is changed, such as ``learning_rate 0.1 -> 0.0023``.
        trainings: price in trainings of the run's head; 0: a second or two.
        expected: what the measure does if the cause holds.
        trains: whether a head is trained, whose seed alone may make a small difference.
    """

    @property
    def trains(self) -> bool:
        """See the class."""

    @property
    def change(self) -> str:
        """See the class."""

    @property
    def trainings(self) -> float:
        """See the class."""

    @property
    def expected(self) -> Expected:
        """See the class."""

    def run(self, case: Case) -> Trial:
        """Try it."""


@dataclass(frozen=True)
class ChangedSettings:
    """Train again with one thing changed: settings, or the head.

    Attributes:
        change: in words.
        settings: to change, as text or values.
        head: another head with its default settings; '' the same head and its settings.
        layout: of its tables, such as ``pooled``; '' that of the run.
        measure: ``accuracy`` or ``macro_f1``.
        trainings: price.
    """

    change: str
    settings: tuple[tuple[str, object], ...] = ()
    head: str = ""
    layout: str = ""
    measure: Literal["accuracy", "macro_f1"] = "accuracy"
    trainings: float = 1.0
    expected: Expected = "rises"
    trains: bool = True

    def made(self, case: Case) -> HeadSettings:
        """Return the settings that it trains with. Raises ``SettingError``."""
        from heads.registry import make_settings

        if self.head and self.head != case.head:
            return make_settings(self.head, dict(self.settings))
        return make_settings(case.head, {**case.settings.model_dump(), **dict(self.settings)})

    def tables(self, case: Case) -> FeatureTables:
        """Return what it reads. Raises ``SettingError``."""
        return case.tables_of(self.layout) if self.layout else case.tables

    def run(self, case: Case) -> Trial:
        """Train and predict the validation texts."""
        started = time.perf_counter()
        tables = self.tables(case)
        trained = case.train_again(self.made(case), head=self.head, tables=tables)
        logits = trained.logits(tables, case.validation, case.device)
        trial = trial_of(case, logits, self.measure, time.perf_counter() - started)
        same = not self.head or self.head == case.head
        curve = [each.validation_accuracy for each in trained.history] if same else []
        return replace(trial, curve=tuple(curve), trained=trained)


@dataclass(frozen=True)
class ChangedData:
    """Train again, the same head and settings, with other rows, labels or vectors.

    Attributes:
        change: in words.
        vary: Case -> the changed case; its ``train``, ``validation``, ``labels`` or ``tables``
            differ. The validation texts of the run are predicted, unless it changes them.
        trainings: price.
        expected: see ``Counterfactual``.
    """

    change: str
    vary: Callable[[Case], Case]
    trainings: float = 1.0
    expected: Expected = "rises"
    trains: bool = True

    def run(self, case: Case) -> Trial:
        """Train on the changed data and predict the validation texts."""
        started = time.perf_counter()
        varied = self.vary(case)
        trained = varied.train_again()
        logits = trained.logits(varied.tables, varied.validation, varied.device)
        after = logits.argmax(axis=1) == varied.labels[varied.validation]
        seconds = time.perf_counter() - started
        same = np.array_equal(varied.validation, case.validation)
        return Trial(case.right, after, paired=same, seconds=seconds, trained=trained)


@dataclass(frozen=True)
class Rescoring:
    """Compare otherwise: score in another way, ask neighbours or word counts, train by hand.

    Attributes:
        change: in words.
        compare: Case -> trial.
        trainings: price; 0 for a second or two.
        expected, trains: see ``Counterfactual``.
        in_place: Case -> the case with the change in place, so that what else is wrong can be
            seen; None where nothing here can put it in place.
    """

    change: str
    compare: Callable[[Case], Trial]
    trainings: float = 0.0
    expected: Expected = "rises"
    trains: bool = False
    in_place: Callable[[Case], Case] | None = None

    def run(self, case: Case) -> Trial:
        """Compare."""
        return self.compare(case)


def trial_of(case: Case, logits: np.ndarray, measure: str, seconds: float) -> Trial:
    """Return the trial of other logits, (m, C), of the same validation texts."""
    labels = case.labels[case.validation]
    if measure == "macro_f1":
        after = logits.argmax(axis=1)
        return Trial(case.predicted, after, "macro-F1", "macro_f1", labels, seconds=seconds)
    right = logits.argmax(axis=1) == labels
    return Trial(case.right, right, seconds=seconds, likelihoods=_likelihoods(case, logits))


def _likelihoods(case: Case, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the log probabilities of the true classes before and after, each calibrated."""
    from heads.evaluation.calibration import fit_temperature

    labels = case.labels[case.validation]
    known = np.flatnonzero(labels < logits.shape[1])
    pair = case.logits[known], logits[known]
    if not len(known) or not all(np.isfinite(each).all() for each in pair):
        return None
    old, new = (
        log_shares(each / fit_temperature(labels[known], each), labels[known]) for each in pair
    )
    return old, new


def log_shares(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return (n,) float64 log probabilities of the true classes."""
    wide = logits.astype(np.float64)
    right = wide[np.arange(len(wide)), labels]
    values: np.ndarray = right - np.logaddexp.reduce(wide, axis=1)
    return values
