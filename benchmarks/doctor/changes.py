"""Single changes of a training, each with the cause that it would mend.

They decide three things without the doctor: which causes are right for a fault, whether a run
is healthy, and what random changes, or the most frequent ones, would have reached.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.doctor.case import (
    Difference,
    Outcome,
    Trial,
    difference,
    outcome,
    train,
)
from benchmarks.doctor.material import stratified
from features.errors import InputError
from features.vectors.table import POOLED, FeatureTable
from heads.registry import head_type
from heads.settings import TrainingSettings

REGAINED = 0.8
"""Share of the lost points that a right remedy gives back."""

BETTER, CHANCE = 2.0, 0.05
"""A run is not healthy where one change gives so many points, at this level for all changes
together."""


@dataclass(frozen=True)
class Change:
    """One change.

    Attributes:
        name: what is changed.
        cause: what it would mend; '' where it mends no cause by itself.
        apply: (trial) -> the changed trial, or None where it changes nothing.
    """

    name: str
    cause: str
    apply: Callable[[Trial], Trial | None]


def _value(trial: Trial, name: str) -> object:
    return getattr(trial.resolved(), name, None)


def to(name: str, value: object, **others: object) -> Callable[[Trial], Trial | None]:
    """Return what sets a setting to a value, where the head has it and it differs."""

    def apply(trial: Trial) -> Trial | None:
        own = _value(trial, name)
        if own is None or own == value or trial.build:
            return None
        known = head_type(trial.head).settings.model_fields
        added = {key: each for key, each in others.items() if key in known}
        return trial.changed(**{name: value, **added})

    return apply


def at_least(name: str, value: float) -> Callable[[Trial], Trial | None]:
    """Return what raises a setting to a value."""

    def apply(trial: Trial) -> Trial | None:
        own = _value(trial, name)
        if not isinstance(own, int | float) or own >= value or trial.build is not None:
            return None
        return trial.changed(**{name: value})

    return apply


def at_most(name: str, value: float) -> Callable[[Trial], Trial | None]:
    """Return what lowers a setting to a value."""

    def apply(trial: Trial) -> Trial | None:
        own = _value(trial, name)
        if not isinstance(own, int | float) or own <= value or trial.build is not None:
            return None
        return trial.changed(**{name: value})

    return apply


def times(factor: float) -> Callable[[Trial], Trial | None]:
    """Return what multiplies the learning rate."""

    def apply(trial: Trial) -> Trial | None:
        own = _value(trial, "learning_rate")
        if not isinstance(own, float) or trial.build is not None:
            return None
        return trial.changed(learning_rate=own * factor)

    return apply


def sized(factor: float) -> Callable[[Trial], Trial | None]:
    """Return what multiplies the sizes of the layers."""

    def apply(trial: Trial) -> Trial | None:
        own, new = trial.resolved(), {}
        for name in ("units", "filters", "values"):
            size = getattr(own, name, 0)
            if size and trial.build is None:
                new[name] = max(1, round(size * factor))
        dense = getattr(own, "dense", ())
        if dense and trial.build is None:
            new["dense"] = ",".join(str(max(1, round(size * factor))) for size in dense)
        return trial.changed(**new) if new else None

    return apply


def longer(trial: Trial) -> Trial | None:
    """Return the trial with three times the epochs, and patience with them."""
    own = trial.resolved()
    if not isinstance(own, TrainingSettings) or trial.build is not None:
        return None
    epochs, patience = 3 * own.epochs, 3 * own.patience
    return trial.changed(epochs=epochs, patience=patience, min_steps=0)


def patient(trial: Trial) -> Trial | None:
    """Return the trial with the patience of all its epochs."""
    own = trial.resolved()
    if not isinstance(own, TrainingSettings) or trial.build is not None:
        return None
    if own.patience >= own.epochs:
        return None
    return trial.changed(epochs=own.epochs, patience=own.epochs, min_steps=0)


def smaller_batch(trial: Trial) -> Trial | None:
    """Return the trial with a quarter of the batch and as many epochs."""
    own = trial.resolved()
    if not isinstance(own, TrainingSettings) or own.batch_size < 32 or trial.build:
        return None
    size = own.batch_size // 4
    return trial.changed(batch_size=size, epochs=own.epochs, patience=own.patience, min_steps=0)


def suggested(trial: Trial) -> Trial | None:
    """Return the trial with the rate of a range test."""
    from heads.learning_rate import range_test
    from heads.problem import Problem

    settings = trial.resolved()
    if not isinstance(settings, TrainingSettings) or trial.build is not None:
        return None
    problem = Problem(
        trial.table,
        trial.seen_labels,
        trial.train,
        trial.validation,
        len(trial.known),
        trial.known,
    )
    found = range_test(trial.head, settings, problem, seed=0)
    return trial.changed(learning_rate=float(f"{found.suggestion:.2g}"))


def linear(trial: Trial) -> Trial | None:
    """Return the trial with ``logistic`` over pooled vectors."""
    if trial.head == "logistic" or POOLED not in trial.material.tables:
        return None
    return replace(trial, head="logistic", settings={"refit": False}, build=None)


def scaled(trial: Trial) -> Trial | None:
    """Return the trial with pooled features at deviation 1, for heads that do not do it."""
    if trial.head not in ("knn", "logistic"):
        return None
    table = trial.material.tables[POOLED]
    values = table.values.astype(np.float32)
    known = values[trial.train]
    deviation = known.std(axis=0)
    scale = np.where(deviation > 1e-4, 1 / np.maximum(deviation, 1e-4), 0)
    values = ((values - known.mean(axis=0)) * scale).astype(np.float32)
    tables = {**trial.material.tables, POOLED: FeatureTable(values, table.offsets, POOLED)}
    return replace(trial, material=replace(trial.material, tables=tables))


def dealt_anew(trial: Trial) -> Trial | None:
    """Return the trial with training and validation dealt anew, where a column split them."""
    if not trial.split_given:
        return None
    rows = np.concatenate([trial.train, trial.validation, trial.fresh])
    rng = np.random.default_rng(5)
    shares = [len(side) for side in (trial.train, trial.validation, trial.fresh)]
    parts = stratified(trial.seen_labels[rows], shares, rng)
    train_rows, validation, fresh = (rows[part] for part in parts)
    return replace(trial, train=train_rows, validation=validation, fresh=fresh)


CHANGES = (
    Change("logistic", "", linear),
    Change("rate / 3", "step_too_large", times(1 / 3)),
    Change("rate / 10", "step_too_large", times(0.1)),
    Change("rate / 100", "step_too_large", times(0.01)),
    Change("rate x 3", "step_too_small", times(3)),
    Change("rate x 10", "step_too_small", times(10)),
    Change("rate x 100", "step_too_small", times(100)),
    Change("rate suggested", "", suggested),
    Change("clip", "step_too_large", at_least("clip", 1.0)),
    Change("warm-up", "unstable", at_least("warmup", 0.1)),
    Change("averaging", "unstable", at_least("averaging", 0.99)),
    Change("members", "unstable", at_least("members", 3)),
    Change("cosine", "", to("schedule", "cosine")),
    Change("adamw", "", to("optimizer", "adamw", learning_rate=2e-3)),
    Change("epochs x 3", "too_few_steps", longer),
    Change("batch / 4", "too_few_steps", smaller_batch),
    Change("patience", "too_few_steps", patient),
    Change("usual first weights", "dead_or_saturated", to("dense_init", "default")),
    Change("relu", "dead_or_saturated", to("dense_activation", "relu")),
    Change("batch normalisation", "dead_or_saturated", to("dense_norm", True)),
    Change("maximum", "long_last_state", to("pooling", "max")),
    Change("mean", "long_last_state", to("pooling", "mean")),
    Change("both directions", "", to("bidirectional", True)),
    Change("50 vectors", "long_last_state", to("max_vectors", 50)),
    Change("a quarter of the units", "overfit", sized(0.25)),
    Change("no dense layers", "overfit", to("dense", ())),
    Change("dropout 0.5", "overfit", at_least("dropout", 0.5)),
    Change("input dropout 0.2", "overfit", at_least("input_dropout", 0.2)),
    Change("weight decay 0.05", "overfit", at_least("weight_decay", 0.05)),
    Change("smoothing 0.1", "overfit", at_least("label_smoothing", 0.1)),
    Change("no dropout", "over_regularised", at_most("dropout", 0.0)),
    Change("no input dropout", "over_regularised", at_most("input_dropout", 0.0)),
    Change("weight decay 0.01", "over_regularised", at_most("weight_decay", 0.01)),
    Change("no smoothing", "over_regularised", at_most("label_smoothing", 0.0)),
    Change("units x 4", "too_small_head", sized(4)),
    Change("dense 128", "too_small_head", to("dense", "128")),
    Change("cross-entropy", "loss_distorted", to("loss", "cross_entropy")),
    Change("no class weights", "loss_distorted", to("class_weights", "none")),
    Change("balanced", "imbalance", to("class_weights", "balanced")),
    Change("scaled features", "vectors_broken", scaled),
    Change("sides dealt anew", "split_by_order", dealt_anew),
)
"""The changes: 41 with ``logistic``. TF-IDF is tried beside them, see ``by_words``."""

REFERENCES = CHANGES[:1]
"""What is tried where time is short: the simple classifiers."""

FREQUENT = (
    "rate / 10",
    "rate x 10",
    "rate suggested",
    "epochs x 3",
    "no dropout",
    "dropout 0.5",
    "a quarter of the units",
    "maximum",
    "balanced",
    "relu",
)
"""The remedies that people name most: counterfactuals without a diagnosis try these ten."""


@dataclass(frozen=True)
class Tried:
    """One change that was tried: against the run as it is, on the same seed."""

    name: str
    cause: str
    gain: Difference
    validation: float
    seconds: float


def by_words(trial: Trial) -> Outcome | None:
    """Return TF-IDF with logistic regression on the same sides; None without texts."""
    from pipeline.evaluation.baselines import tfidf_logistic

    if trial.material.texts is None:
        return None
    started = time.perf_counter()
    rows = np.concatenate([trial.validation, trial.fresh])
    predicted = tfidf_logistic(trial.material.texts, trial.seen_labels, trial.train, rows)
    logits = np.eye(len(trial.classes), dtype=np.float32)[predicted]
    cut, seconds = len(trial.validation), time.perf_counter() - started
    return outcome(trial, logits[:cut], logits[cut:], seconds)


def try_all(
    trial: Trial,
    before: Outcome,
    seed: int,
    changes: Sequence[Change] = CHANGES,
    *,
    words: bool = True,
) -> Iterator[Tried]:
    """Yield every change that applies, trained with the seed of ``before``.

    Args:
        words: try TF-IDF, too.
    """
    counted = by_words(trial) if words else None
    if counted is not None:
        yield _tried("TF-IDF", "", counted, before)
    for change in changes:
        try:
            changed = change.apply(trial)
            if changed is not None:
                paired = np.array_equal(changed.fresh, trial.fresh)
                cause = change.cause
                if change.apply is suggested:
                    raised = _rate(changed) > _rate(trial)
                    cause = "step_too_small" if raised else "step_too_large"
                yield _tried(change.name, cause, train(changed, seed), before, paired)
        except InputError:
            continue  # a combination of settings that the head refuses


def _rate(trial: Trial) -> float:
    return float(trial.resolved().model_dump()["learning_rate"])


def _tried(
    name: str, cause: str, after: Outcome, before: Outcome, paired: bool = True
) -> Tried:
    gain = difference([after], [before], paired)
    return Tried(name, cause, gain, after.validation_score, after.seconds)


def best_change(
    trial: Trial, before: Sequence[Outcome], seeds: Sequence[int], tried: Sequence[Tried]
) -> Tried | None:
    """Return a change that makes the run better beyond noise; None: the run is healthy.

    What gains 2 points with the first seed is trained with the others, and judged at 5 % for
    all changes together.
    """
    by_name = {change.name: change for change in CHANGES}
    level = CHANCE / max(1, len(tried))
    for each in sorted(tried, key=lambda one: -one.gain.points):
        if each.gain.points < BETTER:
            return None
        if each.name not in by_name:
            gain = difference([by_words(trial) or before[0]], [before[0]])
        else:
            changed = by_name[each.name].apply(trial)
            assert changed is not None
            gain = difference([train(changed, seed) for seed in seeds], list(before))
        if gain.beyond(BETTER, level):
            return replace(each, gain=gain)
    return None


def right_causes(
    seeded: Sequence[str], accepted: Sequence[str], lost: float, tried: Sequence[Tried]
) -> tuple[str, ...]:
    """Return the causes that are right: those seeded, and whose remedy alone regains 80 %."""
    found = [*seeded, *accepted]
    found += [
        each.cause for each in tried if each.cause and each.gain.points >= REGAINED * lost
    ]
    return tuple(dict.fromkeys(found))
