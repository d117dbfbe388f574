"""What is trained and judged: a trial, its healthy twin, and the difference of two trials.

A trial is judged on its validation texts and on fresh texts that no training sees, together:
few validation texts alone could not tell 3 points from chance. ``points`` are hundredths of
accuracy, or of the mean recall of the classes where these are uneven.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import Any

import numpy as np

from benchmarks.doctor.material import Ingredients, Material, stratified
from features.errors import DivergedError
from features.vectors.table import FeatureTable
from heads.registry import head_type, make_settings
from heads.settings import HeadSettings, TrainingSettings

LOSS, UNTRUTH = "loss", "untruth"
"""How a fault shows: it costs points, or the validation score is not that of fresh texts."""

SHARES = 0.5, 0.2, 0.3
"""Of the texts: training, validation, fresh."""

BASE = {"refit": False, "batch_size": 32, "min_steps": 200}
"""Settings of all trainings by steps, so that one takes a second or two."""

POINTS, LEVEL = 3.0, 0.01
"""A fault takes effect from so many points on, at this level of significance."""


@dataclass(frozen=True, eq=False)
class Trial:
    """One training to be judged.

    Attributes:
        material: the texts and vectors.
        train, validation, fresh: rows; what is fresh nobody sees before the score.
        head: name in the registry.
        settings: those that differ from the head's defaults.
        labels: (N,) class ids as the user's file has them; None: those of the material.
        build: a user's head, (settings, D, C) -> module; None: the one of the registry.
        uneven: score by the mean recall of the classes.
        split_given: the sides come from a column of the user's file.
    """

    material: Material
    train: np.ndarray
    validation: np.ndarray
    fresh: np.ndarray
    head: str
    settings: Mapping[str, object] = field(default_factory=dict)
    labels: np.ndarray | None = None
    build: Callable[[Any, int, int], Any] | None = None
    uneven: bool = False
    split_given: bool = False

    @property
    def seen_labels(self) -> np.ndarray:
        """Return (N,) class ids as the file has them."""
        return self.material.labels if self.labels is None else self.labels

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the C labels."""
        return self.material.classes

    @property
    def known(self) -> tuple[str, ...]:
        """Return the classes that training has; those that it lacks have the last ids."""
        return self.classes[: int(self.seen_labels[self.train].max()) + 1]

    @property
    def table(self) -> FeatureTable:
        """Return the vectors in the layout that the head takes."""
        layouts = head_type(self.head).layouts
        return next(
            self.material.tables[each] for each in layouts if each in self.material.tables
        )

    def resolved(self) -> HeadSettings:
        """Return the settings with the epochs that so few texts get."""
        settings = make_settings(self.head, dict(self.settings))
        if isinstance(settings, TrainingSettings):
            settings = settings.for_texts(len(self.train))
        return settings

    def changed(self, **settings: object) -> Trial:
        """Return the trial with some settings changed."""
        return replace(self, settings={**self.settings, **settings})


@dataclass(frozen=True)
class Pair:
    """A trial with a fault and its healthy twin; paired if both judge the same texts."""

    faulty: Trial
    twin: Trial
    paired: bool = True


@dataclass(frozen=True)
class Case:
    """One configuration of the benchmark.

    Attributes:
        name: unique; cause, variant, corpus, head and severity.
        half: ``tune`` or ``report``.
        causes: what is seeded; () for a healthy one.
        accepted: causes that are right as well, by the nature of the case.
        make: (ingredients, random) -> the pair; the twin of a healthy one is itself.
        effect: how the fault shows.
        ill: the healthy run looks ill.
    """

    name: str
    half: str
    causes: tuple[str, ...]
    make: Callable[[Ingredients, np.random.Generator], Pair]
    accepted: tuple[str, ...] = ()
    effect: str = LOSS
    ill: bool = False

    @property
    def healthy(self) -> bool:
        """Return whether nothing is seeded."""
        return not self.causes


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a training gave.

    Attributes:
        validation, fresh: (n, C) and (m, C) float32 logits.
        right: (n + m,) float64, which texts are labelled rightly, validation first. Those of
            validation are judged by the file's labels, the fresh ones by true labels.
        weights: (n + m,) float64 that sum to 1.
        cut: n.
        seconds: of the training.
        trained: the head, or None if it diverged.
    """

    validation: np.ndarray
    fresh: np.ndarray
    right: np.ndarray
    weights: np.ndarray
    cut: int
    seconds: float
    trained: Any = None

    @property
    def score(self) -> float:
        """Return the points on validation and fresh texts, 0 to 100."""
        return 100 * float(self.right @ self.weights)

    @property
    def validation_score(self) -> float:
        """Return the points on validation texts."""
        part = self.weights[: self.cut]
        return 100 * float(self.right[: self.cut] @ part / part.sum())

    @property
    def fresh_score(self) -> float:
        """Return the points on fresh texts."""
        part = self.weights[self.cut :]
        return 100 * float(self.right[self.cut :] @ part / part.sum())


def deal(
    material: Material,
    head: str,
    settings: Mapping[str, object],
    rng: np.random.Generator,
    most: int = 0,
    validation: int = 0,
) -> Trial:
    """Return a healthy trial on stratified sides.

    Args:
        most: maximum training texts; 0: all.
        validation: maximum validation texts; 0: all.
    """
    train, held, fresh = stratified(material.labels, SHARES, rng)
    if most:
        train = some(material.labels, train, most, rng)
    if validation:
        held = some(material.labels, held, validation, rng)
    return Trial(material, train, held, fresh, head, {**_base(head), **settings})


def _base(head: str) -> Mapping[str, object]:
    known = head_type(head).settings.model_fields
    return {name: value for name, value in BASE.items() if name in known}


def some(
    labels: np.ndarray, rows: np.ndarray, most: int, rng: np.random.Generator
) -> np.ndarray:
    """Return at most ``most`` of some rows, each class by the same share."""
    if len(rows) <= most:
        return rows
    chosen, _ = stratified(labels[rows], (most, len(rows) - most), rng)
    return rows[chosen]


def judged(trial: Trial, validation: np.ndarray, fresh: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return which texts are right, and their weights; arguments are (n, C) and (m, C)."""
    truth = np.concatenate(
        [trial.seen_labels[trial.validation], trial.material.labels[trial.fresh]]
    )
    predicted = np.concatenate([validation.argmax(axis=1), fresh.argmax(axis=1)])
    right = (predicted == truth).astype(np.float64)
    weights = np.ones(len(truth))
    if trial.uneven:
        counts = np.bincount(truth, minlength=len(trial.classes))
        weights = 1.0 / counts[truth]
    return right, weights / weights.sum()


def train(trial: Trial, seed: int) -> Outcome:
    """Train the head of a trial and judge it. A loss that is not finite gives the majority."""
    from heads.trained import fit

    if trial.build is not None:
        from benchmarks.doctor.candidates.foreign import train_foreign

        return train_foreign(trial, seed)
    started = time.perf_counter()
    settings = make_settings(trial.head, dict(trial.settings))
    sides = trial.train, trial.validation
    try:
        trained = fit(
            trial.head, settings, trial.table, trial.seen_labels, *sides, trial.known, seed
        )
    except DivergedError:
        return constant(trial, time.perf_counter() - started)
    seconds = time.perf_counter() - started
    logits = (
        trained.logits(trial.table, trial.validation),
        trained.logits(trial.table, trial.fresh),
    )
    return outcome(trial, *logits, seconds, trained)


def outcome(
    trial: Trial, validation: np.ndarray, fresh: np.ndarray, seconds: float, trained: Any = None
) -> Outcome:
    """Return the judged outcome of some logits."""
    right, weights = judged(trial, validation, fresh)
    return Outcome(validation, fresh, right, weights, len(validation), seconds, trained)


def constant(trial: Trial, seconds: float) -> Outcome:
    """Return the outcome of a head that always answers the majority class."""
    counts = np.bincount(trial.seen_labels[trial.train], minlength=len(trial.classes))
    logits = np.log(np.maximum(counts, 0.5)).astype(np.float32)
    sides = (np.tile(logits, (len(rows), 1)) for rows in (trial.validation, trial.fresh))
    return outcome(trial, *sides, seconds)


@dataclass(frozen=True)
class Difference:
    """A difference in points, its standard error over texts and seeds, and a two-sided p."""

    points: float
    error: float

    @property
    def p(self) -> float:
        """Return the chance of so large a difference where there is none."""
        if self.error == 0:
            return 1.0 if self.points == 0 else 0.0
        return 2 * (1 - NormalDist().cdf(abs(self.points) / self.error))

    def beyond(self, points: float, level: float) -> bool:
        """Return whether it is at least so many points, significantly above 0."""
        return self.points >= points and self.p < level


def difference(
    better: Sequence[Outcome], worse: Sequence[Outcome], paired: bool = True
) -> Difference:
    """Return by how many points some outcomes are better than others, one per seed each.

    Args:
        better, worse: outcomes of one or several seeds.
        paired: both judge the same texts in the same order.
    """
    seeds = sum(_seed_variance([each.score for each in group]) for group in (better, worse))
    first, second = (
        np.mean([each.right for each in group], axis=0) for group in (better, worse)
    )
    if paired:
        variance = _variance(first - second, better[0].weights)
    else:
        variance = _variance(first, better[0].weights) + _variance(second, worse[0].weights)
    points = float(np.mean([o.score for o in better]) - np.mean([o.score for o in worse]))
    return Difference(points, math.sqrt(1e4 * variance + seeds))


def untruth(outcomes: Sequence[Outcome]) -> Difference:
    """Return by how many points validation flatters, against fresh texts: absolute."""
    right, weights = np.mean([o.right for o in outcomes], axis=0), outcomes[0].weights
    cut = outcomes[0].cut
    variance = sum(
        _variance(right[part], weights[part] / weights[part].sum())
        for part in (slice(None, cut), slice(cut, None))
    )
    gaps = [o.validation_score - o.fresh_score for o in outcomes]
    return Difference(
        abs(float(np.mean(gaps))), math.sqrt(1e4 * variance + _seed_variance(gaps))
    )


def _variance(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the variance of a weighted mean over texts."""
    mean = float(values @ weights)
    return float(np.sum(weights**2 * (values - mean) ** 2))


def _seed_variance(scores: Sequence[float]) -> float:
    """Return the variance of the mean over seeds; 0 for one seed, which tells none."""
    return float(np.var(scores, ddof=1)) / len(scores) if len(scores) > 1 else 0.0


def takes_effect(
    case: Case, pair: Pair, faulty: Sequence[Outcome], twin: Sequence[Outcome]
) -> Difference:
    """Return what the fault costs or feigns, whichever shows it."""
    if case.effect == UNTRUTH:
        return untruth(faulty)
    return difference(twin, faulty, pair.paired)
