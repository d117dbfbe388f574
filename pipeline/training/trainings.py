"""All trainings of an experiment: every seed on every fold, and the best of each fold.

    splits x seeds -> Training, ... -> the best seed of each fold on validation -> pooled scores

Without folds there is one split, and it counts as fold 1.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from features.errors import DivergedError
from features.messages import listed
from features.splits.split import Split
from features.tables import FeatureTables
from heads.class_weights import weights_of
from heads.device import CPU
from heads.evaluation.calibration import fit_temperature, softmax
from heads.evaluation.measurements import Diagnostics
from heads.evaluation.metrics import log_loss
from heads.problem import EpochRecord, OnEpoch
from heads.registry import head_type, make_settings
from heads.settings import HeadSettings, TrainingSettings
from heads.trained import TrainedHead, fit, refit
from pipeline.config import ExperimentConfig
from pipeline.console import print_note
from pipeline.evaluation.evaluation import ClassNames, Evaluation, pooled
from pipeline.evaluation.repeats import RepeatedScore, fold_spread, seed_spread
from pipeline.progress import LINE_SECONDS
from pipeline.training.diagnosis import diagnose
from pipeline.training.resume import FinishedTraining, FinishedTrainings

LEAST = 1e-12
"""Probabilities below it count as this, so that their logarithm is a number."""

EPOCH_LINES = 10
"""Lines of progress of one training, unless its epochs take long."""


@dataclass(frozen=True, eq=False)
class Training:
    """One training and its results.

    Attributes:
        fold: from 1.
        seed: of the training.
        split: the training, validation and test rows.
        learned: rows that the final head was trained on.
        trained: that head, with its temperature.
        validation, test: predictions in the ids of ``ClassNames``; those on validation are of
            the head before it learned from those texts too.
        seconds: of the training.
        diagnostics: what was measured of the head before it learned from validation texts.
    """

    fold: int
    seed: int
    split: Split
    learned: np.ndarray
    trained: TrainedHead
    validation: Evaluation
    test: Evaluation
    seconds: float
    diagnostics: Diagnostics

    @property
    def name(self) -> str:
        """Return ``fold-1-seed-0``, which is also the name of a folder."""
        return f"fold-{self.fold}-seed-{self.seed}"

    @property
    def validation_rank(self) -> tuple[float, float]:
        """Return accuracy and negative loss on validation; higher is better.

        The history of a head of several parts is that of the first, so the predictions count.
        """
        trained, own = self.trained, self.validation
        if trained.further or (trained.words is not None and trained.reads):
            logits = np.log(np.maximum(own.plain, LEAST))
            return float(own.right.mean()), -log_loss(own.labels, logits)
        best = trained.history[trained.best_epoch - 1]
        return best.validation_accuracy, -best.held_out_loss


@dataclass(frozen=True, eq=False)
class Trainings:
    """All trainings of an experiment.

    Attributes:
        trainings: by fold, then by seed.
        best: the training of each fold that is best on validation; the first of equal ones.
        names: the class ids.
        labels: (N,) int64 class ids of the whole corpus.
    """

    trainings: tuple[Training, ...]
    best: tuple[Training, ...]
    names: ClassNames
    labels: np.ndarray

    @classmethod
    def of(
        cls, trainings: Sequence[Training], names: ClassNames, labels: np.ndarray
    ) -> Trainings:
        """Find the best seed of each fold."""
        by_fold: dict[int, list[Training]] = {}
        for training in trainings:
            by_fold.setdefault(training.fold, []).append(training)
        best = tuple(
            max(by_fold[fold], key=lambda training: training.validation_rank)
            for fold in sorted(by_fold)
        )
        return cls(tuple(trainings), best, names, labels)

    @property
    def first(self) -> Training:
        """Return the training whose head the run folder holds: the best of the first fold."""
        return self.best[0]

    @cached_property
    def validation(self) -> Evaluation:
        """Return what the best trainings predict, pooled; several folds may predict a text."""
        return pooled([training.validation for training in self.best])

    @cached_property
    def test(self) -> Evaluation:
        """Return what the best trainings predict, pooled; every text is tested in one fold."""
        return pooled([training.test for training in self.best])

    @property
    def over_seeds(self) -> RepeatedScore | None:
        """Return the test scores over seeds, pooled over folds; None with one seed."""
        seeds = sorted({training.seed for training in self.trainings})
        if len(seeds) == 1:
            return None
        tests = [
            pooled([each.test for each in self.trainings if each.seed == seed])
            for seed in seeds
        ]
        return seed_spread(tests)

    @property
    def over_folds(self) -> RepeatedScore | None:
        """Return the test scores over folds; None with one fold."""
        if len(self.best) == 1:
            return None
        tests = [
            [each.test for each in self.trainings if each.fold == best.fold]
            for best in self.best
        ]
        ratios = [len(best.split.test) / len(best.learned) for best in self.best]
        return fold_spread(tests, float(np.mean(ratios)))


def run_trainings(
    config: ExperimentConfig,
    table: FeatureTables,
    labels: Sequence[str],
    splits: Sequence[Split],
    finished: FinishedTrainings,
    device: str = CPU,
) -> Trainings:
    """Train every seed on every split, except what an unfinished run has trained.

    Args:
        config: the experiment.
        table: what the heads read of N texts.
        labels: N labels.
        splits: of those texts; each of them one fold.
        finished: trainings of this experiment that are stored already.
        device: what the heads learn and predict on.

    Raises:
        BadVectorError, DivergedError, DeviceMemoryError: as ``heads.trained.fit``.
    """
    names = ClassNames.of(labels, splits)
    truth = names.ids(labels)
    seeds = range(config.seed, config.seed + config.seeds)
    single = len(splits) * len(seeds) == 1
    trainings = []
    for fold, split in enumerate(splits, start=1):
        settings = _settings(config, split)
        ids = split.label_ids(labels)
        learned = _learned(settings, split, ids)
        names_read = config.vectors.encoders if len(table.encoders) > 1 else ()
        on_epoch = _EpochNotes(config.head, settings, names_read) if single else None
        for seed in seeds:
            found = finished.find(settings, split, seed)
            known = found is not None
            if found is None:
                how = config.head, settings, table, ids, split, learned, seed, on_epoch, device
                with _placed(fold, seed):
                    found = _train(*how)
                finished.store(settings, split, seed, found)
            evaluate = partial(_evaluate, split, names, truth, found.trained.temperature)
            test = found.trained.logits(table, split.test, device)
            training = Training(
                fold,
                seed,
                split,
                learned,
                found.trained,
                evaluate("validation", split.validation, found.held_out),
                evaluate("test", split.test, test),
                found.seconds,
                found.diagnostics,
            )
            trainings.append(training)
            if known or not single:
                _note_training(training, len(splits), known)
            elif len(table.tables) > 1:
                print_note(parts_line(found.trained, config.vectors.encoders))
    return Trainings.of(trainings, names, truth)


@contextmanager
def _placed(fold: int, seed: int) -> Iterator[None]:
    """Name fold and seed of a training that diverges."""
    try:
        yield
    except DivergedError as error:
        raise DivergedError(f"fold {fold}, seed {seed}: {error}") from error


def _train(
    head: str,
    settings: HeadSettings,
    table: FeatureTables,
    ids: np.ndarray,
    split: Split,
    learned: np.ndarray,
    seed: int,
    on_epoch: OnEpoch | None,
    device: str,
) -> FinishedTraining:
    """Train once: choose the epoch and fit the temperature on validation, then refit."""
    start = time.perf_counter()
    sides = split.train, split.validation, split.classes
    chosen = fit(head, settings, table, ids, *sides, seed, on_epoch, device)
    trained = refit(chosen, table, ids, learned, seed, device) if settings.refit else chosen
    seconds = time.perf_counter() - start
    held_out = chosen.logits(table, split.validation, device)
    temperature = fit_temperature(ids[split.validation], held_out)
    rows = split.train, split.validation
    diagnostics = diagnose(chosen, table, ids, *rows, held_out, device)
    trained = replace(trained, temperature=temperature)
    return FinishedTraining(trained, held_out, seconds, diagnostics)


def parts_line(trained: TrainedHead, encoders: Sequence[str]) -> str:
    """Return which parts of a head validation chose, and their shares of the logits.

    Args:
        encoders: names of those that it could read.
    """
    left = 1 - trained.word_share
    shares = [left * share for share in trained.encoder_shares]
    vectors = len(encoders) == 1
    parts = [
        (share, "the vectors" if vectors else encoders[table])
        for share, table in zip(shares, trained.reads, strict=True)
    ]
    parts += [(trained.word_share, "the words")] if trained.words is not None else []
    if len(parts) == 1:
        return f"validation chose {parts[0][1]} alone"
    told = [f"{share:.0%} of the logits from {name}" for share, name in parts]
    return f"validation chose {len(parts)} parts: {listed(told)}"


def _settings(config: ExperimentConfig, split: Split) -> HeadSettings:
    """Return the settings of the head on one split."""
    return on_split(make_settings(config.head, config.overrides(len(split.classes))), split)


def on_split(settings: HeadSettings, split: Split) -> HeadSettings:
    """Return the settings without weights of classes that are missing from training."""
    if not isinstance(settings, TrainingSettings):
        return settings
    rule = weights_of(settings.class_weights, split.classes)
    return settings.model_copy(update={"class_weights": rule})


def _learned(settings: HeadSettings, split: Split, ids: np.ndarray) -> np.ndarray:
    """Return the rows that the final head is trained on, without unknown classes."""
    if not settings.refit:
        return split.train
    held_out = split.validation[ids[split.validation] < len(split.classes)]
    return np.sort(np.concatenate([split.train, held_out]))


def _evaluate(
    split: Split,
    names: ClassNames,
    truth: np.ndarray,
    temperature: float,
    side: str,
    rows: np.ndarray,
    logits: np.ndarray,
) -> Evaluation:
    """Return the predictions of logits (n, C of the split) for some rows.

    Args:
        truth: (N,) class ids as ``names`` counts them.
    """
    return Evaluation(
        side,
        rows,
        truth[rows],
        _align_columns(softmax(logits, temperature), split.classes, names),
        _align_columns(softmax(logits), split.classes, names),
    )


def _align_columns(
    probabilities: np.ndarray, classes: tuple[str, ...], names: ClassNames
) -> np.ndarray:
    """Return (n, C) with a column per class of ``names``; 0 for classes that a fold lacks."""
    if classes == names.classes:
        return probabilities
    wide = np.zeros((len(probabilities), len(names.classes)), probabilities.dtype)
    wide[:, names.ids(classes)] = probabilities
    return wide


class _EpochNotes:
    """Notes on the epochs of a training, or the values that it tries: some ten lines.

    ``history.jsonl`` has them all. A line also comes where the last one is long ago.

    Args:
        encoders: names of those that have a part of the head each, if there are several.
    """

    def __init__(self, head: str, settings: HeadSettings, encoders: Sequence[str] = ()) -> None:
        self.head, self.settings = head_type(head), settings
        self.encoders = iter(encoders)
        self.every = max(1, math.ceil(getattr(settings, "epochs", 1) / EPOCH_LINES))
        self.last = time.monotonic()

    def __call__(self, record: EpochRecord) -> None:
        name = next(self.encoders, "") if record.epoch == 1 else ""
        if name:
            print_note(f"over the vectors of {name}:")
        now = time.monotonic()
        due = record.epoch % self.every == 0 or now - self.last >= LINE_SECONDS
        if record.epoch > 1 and not due:
            return
        self.last = now
        print_note(
            f"{self.head.record_name(self.settings, record)}: validation accuracy "
            f"{record.validation_accuracy:.1%}, loss {record.validation_loss:.3f} (training "
            f"{record.train_accuracy:.1%}, {record.train_loss:.3f})"
        )


def _note_training(training: Training, folds: int, known: bool) -> None:
    accuracy, loss = training.validation_rank
    fold = f"fold {training.fold} of {folds}, " if folds > 1 else ""
    print_note(
        f"{fold}seed {training.seed}: validation accuracy {accuracy:.1%}, loss {-loss:.3f}; "
        f"{training.seconds:.1f} s{', from a run that did not finish' if known else ''}"
    )
