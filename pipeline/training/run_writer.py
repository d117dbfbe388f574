"""The contents of a run folder: everything needed to judge a run and to repeat it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from features.corpus.corpus import Corpus
from features.encoders.description.names import split_names
from heads.device import CPU, device_label
from heads.persistence.checkpoint import save
from heads.registry import head_type
from pipeline.evaluation.breakdown import CLASSES, write_classes
from pipeline.evaluation.result import ExperimentResult
from pipeline.reports.drawing import Drawing
from pipeline.reports.figures import Curve, Picture, curves_picture, test_pictures
from pipeline.reports.report import result_text, write_report
from pipeline.runs.environment import environment
from pipeline.runs.files.diagnostics import TrainingDiagnostics, write_diagnostics
from pipeline.runs.files.held_out import HeldOutPredictions, TrainingPredictions
from pipeline.runs.files.json_format import Values, write_json
from pipeline.runs.files.misclassified import Misclassified, error_list, write_errors
from pipeline.runs.files.training_texts import TRAINING, TrainingTexts, write_training
from pipeline.runs.folder import ENVIRONMENT, ERRORS
from pipeline.runs.formats import HistoryLine
from pipeline.runs.reference import REFERENCE, Reference, write_reference
from pipeline.runs.run_config import EncoderSection, Resolved, SideRows
from pipeline.runs.writer import write_config, write_held_out, write_history, write_metrics
from pipeline.training.tensorboard import write_events
from pipeline.training.trainings import Trainings


@dataclass(frozen=True, eq=False)
class RunContents:
    """What a run folder is written from, besides the result.

    Attributes:
        config: the experiment's configuration as plain values.
        corpus: the data.
        sources: the vectors that the head reads, one per encoder; of one that reads words
            alone, those of the first encoder.
        outcome: every training; the folder holds the head of ``outcome.first``.
        pooled: (N, D) pooled vectors of the corpus by the first of them, to tell which texts
            are near.
        device: that the heads learned on.
    """

    config: Values
    corpus: Corpus
    sources: tuple[EncoderSection, ...]
    outcome: Trainings
    pooled: np.ndarray
    device: str = CPU


def write_run(
    folder: Path, record: RunContents, result: ExperimentResult, drawing: Drawing
) -> None:
    """Fill a run folder. ``metrics.json`` comes last: its existence means the rest is there.

    Args:
        drawing: has begun with the pictures, and ends meanwhile.
    """
    first = record.outcome.first
    errors = _errors(record)
    write_config(folder, record.config, _resolved(record))
    write_json(folder / ENVIRONMENT, environment())
    write_history(folder, _history(record.outcome))
    write_events(folder, record.outcome, errors)
    write_held_out(folder, held_out_of(record.corpus, record.outcome))
    write_diagnostics(folder, _diagnostics(record.outcome))
    write_classes(folder / CLASSES, result.classes)
    write_training(folder / TRAINING, TrainingTexts.of(record.corpus, first.learned))
    write_reference(folder / REFERENCE, Reference.of(record.pooled, first.split))
    write_errors(folder / ERRORS, errors)
    save(first.trained.renumbered(), folder)
    write_report(folder, result_text(result))
    drawing.finish()
    write_metrics(folder, result)


def _resolved(record: RunContents) -> Resolved:
    """Return the resolved options of the head in the run folder."""
    first, (source, *further) = record.outcome.first, record.sources
    split = first.split
    named = len(split_names(record.config["vectors"]["encoder"])) > 1
    return Resolved(
        settings=first.trained.settings.model_dump(mode="json"),
        seed=first.seed,
        spec=source.spec,
        fingerprint=source.fingerprint,
        encoder_commit=source.encoder_commit,
        encoder=source.encoder if named else "",
        further=tuple(further),
        corpus_digest=record.corpus.digest,
        classes=split.classes,
        device=device_label(record.device),
        rows=SideRows(
            train=len(split.train), validation=len(split.validation), test=len(split.test)
        ),
    )


def _history(outcome: Trainings) -> Iterator[HistoryLine]:
    """Yield every epoch of every training."""
    for training in outcome.trainings:
        for epoch in training.trained.history:
            yield HistoryLine(training.fold, training.seed, epoch)


def _diagnostics(outcome: Trainings) -> list[TrainingDiagnostics]:
    return [
        TrainingDiagnostics(fold=one.fold, seed=one.seed, measured=one.diagnostics)
        for one in outcome.trainings
    ]


def _errors(record: RunContents) -> list[Misclassified]:
    """Return the misclassified test texts, the most confident first, with their neighbours."""
    classes = record.outcome.names.classes
    errors = [
        error
        for training in record.outcome.best
        for error in error_list(
            record.corpus, training.learned, training.test, classes, record.pooled
        )
    ]
    return sorted(errors, key=lambda error: -error.confidence)


def pictures_of(
    head: str, folds: int | None, corpus_name: str, outcome: Trainings
) -> list[Picture]:
    """Return the pictures of a run.

    Args:
        head: what was trained.
        folds: as ``ExperimentConfig`` has them.
        corpus_name: of the texts.
        outcome: every training.
    """
    what = f"accuracy over {folds} folds" if folds else "test accuracy"
    title = f"{head} on {corpus_name}: {what} {outcome.test.score().told}"
    curves = [
        Curve(training.trained.history, training.trained.best_epoch, training is outcome.first)
        for training in outcome.trainings
    ]
    kind = head_type(head)
    temperatures = [training.trained.temperature for training in outcome.best]
    return [
        curves_picture(curves, title, kind.step, tried=bool(kind.values)),
        *test_pictures(outcome.test, outcome.names, temperatures, title),
    ]


def held_out_of(corpus: Corpus, outcome: Trainings) -> HeldOutPredictions:
    """Return the held-out predictions of an experiment."""
    return HeldOutPredictions(
        corpus.digest,
        outcome.names,
        np.array(corpus.rows, dtype=np.int64),
        tuple(len(training.learned) for training in outcome.best),
        tuple(
            TrainingPredictions(
                training.fold,
                training.seed,
                training in outcome.best,
                training.validation,
                training.test,
            )
            for training in outcome.trainings
        ),
    )
