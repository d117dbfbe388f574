"""The contents of a run folder: everything needed to judge a run and to repeat it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from torch.utils.tensorboard import SummaryWriter

from features.corpus import Corpus
from features.spec import FeatureSpec
from features.splits import Split
from heads import metrics
from heads.checkpoint import save
from heads.registry import head_type
from heads.trained import TrainedHead
from pipeline.explain import (
    ERRORS,
    TRAINING,
    TrainingTexts,
    error_list,
    write_errors,
    write_training,
)
from pipeline.plots import draw_confusion, draw_curves
from pipeline.results import Evaluation, ExperimentResult
from pipeline.runs import (
    CONFIG,
    ENVIRONMENT,
    HISTORY,
    METRICS,
    PREDICTIONS,
    environment,
    write_json,
)

DRAWN_CLASSES = 100
"""Classes that a confusion matrix can show; with more, those with the most errors are drawn."""


@dataclass(frozen=True, eq=False)
class Record:
    """What a run folder is written from, beside the result.

    Attributes:
        config: the experiment's configuration as plain values.
        corpus, split: the data, and who trained, validated and tested.
        spec: of the vectors that the head was trained on.
        trained: the head.
        evaluations: predictions on validation and on test.
        pooled: (N, D) pooled vectors of the corpus, to tell which texts are near.
    """

    config: dict[str, Any]
    corpus: Corpus
    split: Split
    spec: FeatureSpec
    trained: TrainedHead
    evaluations: tuple[Evaluation, Evaluation]
    pooled: np.ndarray


def write_record(folder: Path, record: Record, result: ExperimentResult) -> None:
    """Fill a run folder. ``metrics.json`` comes last: its existence means the rest is there."""
    write_json(folder / CONFIG, _config(record))
    write_json(folder / ENVIRONMENT, environment())
    _write_history(folder / HISTORY, record)
    _write_events(folder, record, result)
    _write_predictions(folder / PREDICTIONS, record)
    _write_neighbors(folder, record)
    save(record.trained, folder)
    _draw(folder, record, result)
    write_json(folder / METRICS, result.to_dict())


def _config(record: Record) -> dict[str, Any]:
    split = record.split
    return {
        **record.config,
        "resolved": {
            "settings": record.trained.settings.model_dump(mode="json"),
            "spec": asdict(record.spec),
            "fingerprint": record.spec.fingerprint,
            "corpus_digest": record.corpus.digest,
            "classes": list(split.classes),
            "rows": {
                "train": len(split.train),
                "validation": len(split.validation),
                "test": len(split.test),
            },
        },
    }


def _write_history(path: Path, record: Record) -> None:
    lines = [json.dumps(asdict(epoch)) + "\n" for epoch in record.trained.history]
    path.write_text("".join(lines), encoding="utf-8")


def _write_events(folder: Path, record: Record, result: ExperimentResult) -> None:
    """TensorBoard events: ``tensorboard --logdir runs`` compares all runs."""
    with SummaryWriter(str(folder)) as writer:
        for epoch in record.trained.history:
            for side in ("train", "validation"):
                for name in ("loss", "accuracy"):
                    value = getattr(epoch, f"{side}_{name}")
                    writer.add_scalar(f"{name}/{side}", value, epoch.epoch)
            writer.add_scalar("learning_rate", epoch.learning_rate, epoch.epoch)
            writer.add_scalar("gradient_norm", epoch.gradient_norm, epoch.epoch)
        writer.add_scalar("test/accuracy", result.test.accuracy, result.best_epoch)
        writer.add_scalar("test/macro_f1", result.test.macro_f1, result.best_epoch)


def _write_predictions(path: Path, record: Record) -> None:
    """One row a held-out text: its data row, side, true and predicted label, confidence."""
    labels = record.corpus.labels or ()
    columns: dict[str, list[Any]] = {
        "row": [],
        "side": [],
        "label": [],
        "predicted": [],
        "confidence": [],
    }
    for evaluation in record.evaluations:
        columns["row"] += [record.corpus.rows[row] for row in evaluation.rows]
        columns["side"] += [evaluation.side] * len(evaluation.rows)
        columns["label"] += [labels[row] for row in evaluation.rows]
        columns["predicted"] += [record.split.classes[i] for i in evaluation.predicted]
        columns["confidence"] += evaluation.probabilities.max(axis=1).tolist()
    pq.write_table(pa.table(columns), path)


def _write_neighbors(folder: Path, record: Record) -> None:
    """The training texts, for ``predict --explain``; the test errors with those nearest."""
    split, test = record.split, record.evaluations[1]
    write_training(folder / TRAINING, TrainingTexts.of(record.corpus, split.train))
    errors = error_list(record.corpus, split.train, test, split.classes, record.pooled)
    write_errors(folder / ERRORS, errors)


def _draw(folder: Path, record: Record, result: ExperimentResult) -> None:
    score = result.test
    low, high = score.accuracy_interval
    title = (
        f"{result.head} on {record.corpus.name}: test accuracy {score.accuracy:.1%} "
        f"({low:.1%} to {high:.1%})"
    )
    step = head_type(result.head).step
    draw_curves(record.trained.history, result.best_epoch, title, step, folder / "curves.png")
    test = record.evaluations[1]
    truth, matrix = _confusion(record, test)
    drawn, title = _most_confused(matrix, len(record.split.classes), title)
    rows = np.concatenate([drawn, np.arange(len(record.split.classes), len(truth))])
    draw_confusion(
        matrix[np.ix_(rows, drawn)],
        [truth[row] for row in rows],
        [record.split.classes[column] for column in drawn],
        title,
        folder / "confusion.png",
    )


def _confusion(record: Record, test: Evaluation) -> tuple[list[str], np.ndarray]:
    """Names of the rows, and (rows, C) counts. Labels that training lacks come last."""
    classes = record.split.classes
    labels = record.corpus.labels or ()
    names = {int(i): labels[row] for i, row in zip(test.labels, test.rows, strict=True)}
    unseen = sorted(i for i in names if i >= len(classes))
    places = {i: place for place, i in enumerate([*range(len(classes)), *unseen])}
    truth = np.array([places[int(i)] for i in test.labels], dtype=np.int64)
    counts = metrics.confusion(truth, test.predicted, len(classes) + len(unseen))
    return [*classes, *(names[i] for i in unseen)], counts[:, : len(classes)]


def _most_confused(matrix: np.ndarray, classes: int, title: str) -> tuple[np.ndarray, str]:
    """Class ids to draw, in order: all, or where those are too many the most confused."""
    if classes <= DRAWN_CLASSES:
        return np.arange(classes), title
    errors = matrix[:classes].sum(axis=1) - matrix.diagonal()
    drawn = np.sort(np.argsort(-errors, kind="stable")[:DRAWN_CLASSES])
    return drawn, f"{title}; the {DRAWN_CLASSES} most confused of {classes} classes"
