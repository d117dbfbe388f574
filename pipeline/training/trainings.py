"""Trials: one training each, of every seed on every fold, and which of them are kept.

    splits x seeds -> Trial, ... -> the best seed of each fold on validation -> pooled scores

Without folds there is one split, and it counts as fold 1.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from features.errors import DivergedError
from features.splits.split import Split
from features.tables import FeatureTables
from heads.class_weights import check_weights, weights_of
from heads.evaluation.calibration import fit_temperature, softmax
from heads.problem import EpochRecord, OnEpoch
from heads.registry import head_type, make_settings
from heads.settings import HeadSettings, TrainingSettings
from heads.trained import TrainedHead, fit, refit
from pipeline.config import ExperimentConfig
from pipeline.console import print_note
from pipeline.evaluation.evaluation import ClassNames, Evaluation, pooled
from pipeline.evaluation.repeats import RepeatedScore, fold_spread, seed_spread
from pipeline.training.resume import FinishedTraining, FinishedTrainings


@dataclass(frozen=True, eq=False)
class Training:
    """One training and what came of it.

    Attributes:
        fold: from 1.
        seed: of the training.
        split: who trained, validated and tested.
        learned: rows that the head has learned from in the end.
        trained: that head, with its temperature.
        validation, test: predictions in the ids of ``ClassNames``; those on validation are of
            the head before it learned from those texts too.
        seconds: of the training.
    """

    fold: int
    seed: int
    split: Split
    learned: np.ndarray
    trained: TrainedHead
    validation: Evaluation
    test: Evaluation
    seconds: float

    @property
    def name(self) -> str:
        """``fold-1-seed-0``, also a folder's name."""
        return f"fold-{self.fold}-seed-{self.seed}"

    @property
    def standing(self) -> tuple[float, float]:
        """How well it validates, higher is better: accuracy, then the loss with its sign."""
        best = self.trained.history[self.trained.best_epoch - 1]
        return best.validation_accuracy, -best.held_out_loss


@dataclass(frozen=True, eq=False)
class Trainings:
    """All trials of an experiment.

    Attributes:
        trials: by fold, then by seed.
        kept: the trial of each fold that validates best, the first among equals.
        names: the class ids.
        labels: (N,) int64 class ids of the whole corpus.
    """

    trials: tuple[Training, ...]
    kept: tuple[Training, ...]
    names: ClassNames
    labels: np.ndarray

    @classmethod
    def of(cls, trials: Sequence[Training], names: ClassNames, labels: np.ndarray) -> Trainings:
        """Keep the best seed of each fold."""
        folds = sorted({trial.fold for trial in trials})
        own = {fold: [trial for trial in trials if trial.fold == fold] for fold in folds}
        kept = tuple(max(own[fold], key=lambda trial: trial.standing) for fold in folds)
        return cls(tuple(trials), kept, names, labels)

    @property
    def first(self) -> Training:
        """The trial whose head the run folder holds: the one kept of the first fold."""
        return self.kept[0]

    @cached_property
    def validation(self) -> Evaluation:
        """What the kept trials predict, pooled; a text may have an answer of several folds."""
        return pooled([trial.validation for trial in self.kept])

    @cached_property
    def test(self) -> Evaluation:
        """What the kept trials predict, pooled; every text is tested in one fold."""
        return pooled([trial.test for trial in self.kept])

    @property
    def over_seeds(self) -> RepeatedScore | None:
        """The test scores over seeds, of all folds pooled; None of one seed."""
        seeds = sorted({trial.seed for trial in self.trials})
        if len(seeds) == 1:
            return None
        own = [[trial.test for trial in self.trials if trial.seed == seed] for seed in seeds]
        return seed_spread([pooled(tests) for tests in own])

    @property
    def over_folds(self) -> RepeatedScore | None:
        """The test scores over folds; None of one."""
        if len(self.kept) == 1:
            return None
        tests = [
            [trial.test for trial in self.trials if trial.fold == kept.fold]
            for kept in self.kept
        ]
        ratios = [len(kept.split.test) / len(kept.learned) for kept in self.kept]
        return fold_spread(tests, float(np.mean(ratios)))


def run_trainings(
    config: ExperimentConfig,
    table: FeatureTables,
    labels: Sequence[str],
    splits: Sequence[Split],
    journal: FinishedTrainings,
) -> Trainings:
    """Train every seed on every split, but for what the journal has.

    Args:
        table: what the heads read of N texts.
        labels: N labels.
        splits: of those texts; each of them one fold.
        journal: of this experiment.

    Raises:
        BadVectorError, DivergedError: as ``heads.trained.fit``.
    """
    names = ClassNames.of(labels, splits)
    truth = names.ids(labels)
    seeds = range(config.seed, config.seed + config.seeds)
    single = len(splits) * len(seeds) == 1
    on_epoch = partial(_note_epoch, head_type(config.head).step) if single else None
    trials = []
    for fold, split in enumerate(splits, start=1):
        settings = _settings(config, split)
        ids = split.label_ids(labels)
        learned = _learned(settings, split, ids)
        for seed in seeds:
            training = journal.find(settings, split, seed)
            known = training is not None
            if training is None:
                try:
                    training = _train(
                        config.head, settings, table, ids, split, learned, seed, on_epoch
                    )
                except DivergedError as error:
                    raise DivergedError(f"fold {fold}, seed {seed}: {error}") from error
                journal.keep(settings, split, seed, training)
            evaluate = partial(_evaluate, split, names, truth, training.trained.temperature)
            test = training.trained.logits(table, split.test)
            trial = Training(
                fold,
                seed,
                split,
                learned,
                training.trained,
                evaluate("validation", split.validation, training.held_out),
                evaluate("test", split.test, test),
                training.seconds,
            )
            trials.append(trial)
            if known or not single:
                _note_training(trial, len(splits), known)
    return Trainings.of(trials, names, truth)


def _train(
    head: str,
    settings: HeadSettings,
    table: FeatureTables,
    ids: np.ndarray,
    split: Split,
    learned: np.ndarray,
    seed: int,
    on_epoch: OnEpoch | None,
) -> FinishedTraining:
    """One training: the epoch by validation, its temperature, then from all that may teach."""
    start = time.perf_counter()
    sides = split.train, split.validation, split.classes
    chosen = fit(head, settings, table, ids, *sides, seed, on_epoch)
    if on_epoch is not None and "," in table.layout:
        print_note(f"words have {chosen.word_share:.0%} of the logits, as validation chose")
    trained = refit(chosen, table, ids, learned, seed) if settings.refit else chosen
    seconds = time.perf_counter() - start
    held_out = chosen.logits(table, split.validation)
    temperature = fit_temperature(ids[split.validation], held_out)
    return FinishedTraining(replace(trained, temperature=temperature), held_out, seconds)


def check_labels(settings: HeadSettings, labels: Sequence[str]) -> None:
    """Refuse settings that name a label of no text. Raises ``SettingError``."""
    if isinstance(settings, TrainingSettings):
        check_weights(settings.class_weights, sorted(set(labels)))


def _settings(config: ExperimentConfig, split: Split) -> HeadSettings:
    """Return those of the head on one split."""
    return on_split(make_settings(config.head, config.overrides(len(split.classes))), split)


def on_split(settings: HeadSettings, split: Split) -> HeadSettings:
    """Return the settings without weights of classes that the training of a split lacks."""
    if not isinstance(settings, TrainingSettings):
        return settings
    rule = weights_of(settings.class_weights, split.classes)
    return settings.model_copy(update={"class_weights": rule})


def _learned(settings: HeadSettings, split: Split, ids: np.ndarray) -> np.ndarray:
    """Rows that the head learns from in the end, of classes that training knows."""
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
    """What logits (n, C of the split) of some rows predict.

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
    """(n, C) with a column for every class of ``names``; 0 for those that a fold lacks."""
    if classes == names.classes:
        return probabilities
    wide = np.zeros((len(probabilities), len(names.classes)), probabilities.dtype)
    wide[:, names.ids(classes)] = probabilities
    return wide


def _note_epoch(step: str, record: EpochRecord) -> None:
    print_note(
        f"{step} {record.epoch:>3}: loss {record.train_loss:.3f} training, "
        f"{record.validation_loss:.3f} validation; accuracy {record.train_accuracy:.1%}, "
        f"{record.validation_accuracy:.1%}; {record.seconds:.1f} s"
    )


def _note_training(trial: Training, folds: int, known: bool) -> None:
    accuracy, loss = trial.standing
    fold = f"fold {trial.fold} of {folds}, " if folds > 1 else ""
    print_note(
        f"{fold}seed {trial.seed}: validation accuracy {accuracy:.1%}, loss {-loss:.3f}; "
        f"{trial.seconds:.1f} s{', kept from a run that did not finish' if known else ''}"
    )
