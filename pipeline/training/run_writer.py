"""The contents of a run folder: everything needed to judge a run and to repeat it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from features.corpus.corpus import Corpus
from features.vectors.spec import FeatureSpec
from heads.checkpoint import save
from heads.problem import EpochRecord
from heads.registry import head_type
from pipeline.evaluation.breakdown import CLASSES, write_classes
from pipeline.evaluation.result import ExperimentResult
from pipeline.reports.figures import draw_test, optional
from pipeline.reports.plots import Curve, draw_curves
from pipeline.runs.environment import environment
from pipeline.runs.folder import CONFIG, ENVIRONMENT, HISTORY, METRICS, write_json
from pipeline.runs.held_out import HeldOutPredictions, TrainingPredictions, write_held_out
from pipeline.runs.misclassified import ERRORS, error_list, write_errors
from pipeline.runs.training_texts import TRAINING, TrainingTexts, write_training
from pipeline.training.tensorboard import write_events
from pipeline.training.trainings import Trainings


@dataclass(frozen=True, eq=False)
class RunContents:
    """What a run folder is written from, beside the result.

    Attributes:
        config: the experiment's configuration as plain values.
        corpus: the data.
        spec: of the vectors that the heads were trained on.
        outcome: every training; the folder holds the head of ``outcome.first``.
        pooled: (N, D) pooled vectors of the corpus, to tell which texts are near.
        commit: of the encoder on the hub; '' where it lies in a folder of its own.
    """

    config: dict[str, Any]
    corpus: Corpus
    spec: FeatureSpec
    outcome: Trainings
    pooled: np.ndarray
    commit: str = ""


def write_run(folder: Path, record: RunContents, result: ExperimentResult) -> None:
    """Fill a run folder. ``metrics.json`` comes last: its existence means the rest is there."""
    first = record.outcome.first
    errors = _errors(record)
    write_json(folder / CONFIG, _config(record))
    write_json(folder / ENVIRONMENT, environment())
    _write_history(folder / HISTORY, record.outcome)
    write_events(folder, record.outcome, errors)
    write_held_out(folder, held_out_of(record.corpus, record.outcome))
    write_classes(folder / CLASSES, result.classes)
    write_training(folder / TRAINING, TrainingTexts.of(record.corpus, first.learned))
    write_errors(folder / ERRORS, errors)
    save(first.trained, folder)
    _draw(folder, record, result)
    write_json(folder / METRICS, result.to_dict())


def _config(record: RunContents) -> dict[str, Any]:
    """The configuration, and what it came to for the head that is kept."""
    first = record.outcome.first
    split = first.split
    return {
        **record.config,
        "resolved": {
            "settings": first.trained.settings.model_dump(mode="json"),
            "seed": first.seed,
            "spec": asdict(record.spec),
            "fingerprint": record.spec.fingerprint,
            "encoder_commit": record.commit,
            "corpus_digest": record.corpus.digest,
            "classes": list(split.classes),
            "rows": {
                "train": len(split.train),
                "validation": len(split.validation),
                "test": len(split.test),
            },
        },
    }


def _write_history(path: Path, outcome: Trainings) -> None:
    """One line an epoch of every training; null, which JSON has, in place of NaN."""
    lines = [
        json.dumps({"fold": trial.fold, "seed": trial.seed, **_numbers(epoch)}) + "\n"
        for trial in outcome.trials
        for epoch in trial.trained.history
    ]
    path.write_text("".join(lines), encoding="utf-8")


def _numbers(epoch: EpochRecord) -> dict[str, float | None]:
    values: dict[str, float] = asdict(epoch)
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _errors(record: RunContents) -> list[dict[str, Any]]:
    """Every test text labelled wrongly, the surest first, with what its head learned nearby."""
    classes = record.outcome.names.classes
    errors = [
        error
        for trial in record.outcome.kept
        for error in error_list(
            record.corpus, trial.learned, trial.test, classes, record.pooled
        )
    ]
    return sorted(errors, key=lambda error: -error["confidence"])


def _draw(folder: Path, record: RunContents, result: ExperimentResult) -> None:
    score = result.test
    low, high = score.accuracy_interval
    what = f"accuracy over {result.folds} folds" if result.folds else "test accuracy"
    title = (
        f"{result.head} on {record.corpus.name}: {what} {score.accuracy:.1%} "
        f"({low:.1%} to {high:.1%})"
    )
    outcome = record.outcome
    curves = [
        Curve(trial.trained.history, trial.trained.best_epoch, trial is outcome.first)
        for trial in outcome.trials
    ]
    with optional(folder / "curves.png") as path:
        draw_curves(curves, title, head_type(result.head).step, path)
    temperatures = [trial.trained.temperature for trial in outcome.kept]
    draw_test(folder, outcome.test, outcome.names, temperatures, title)


def held_out_of(corpus: Corpus, outcome: Trainings) -> HeldOutPredictions:
    """Those of an experiment."""
    return HeldOutPredictions(
        corpus.digest,
        outcome.names,
        np.array(corpus.rows, dtype=np.int64),
        tuple(len(trial.learned) for trial in outcome.kept),
        tuple(
            TrainingPredictions(
                trial.fold,
                trial.seed,
                trial in outcome.kept,
                trial.validation,
                trial.test,
            )
            for trial in outcome.trials
        ),
    )
