"""What is measured of every training, since it costs almost nothing."""

from __future__ import annotations

import numpy as np

from features.tables import FeatureTables
from heads.device import CPU
from heads.evaluation.gain import measure_gain
from heads.evaluation.measurements import Diagnostics, TrainingScore
from heads.evaluation.metrics import accuracy, log_loss
from heads.trained import TrainedHead

SCORED = 2000
"""Training texts that are scored at most, evenly spaced in the corpus."""

SHARE = 0.02
"""Texts scored, at most, as a share of the texts that the epochs went through."""

REMEMBERS = "knn"
"""It finds each of its own texts, so its score on them says nothing."""


def diagnose(
    trained: TrainedHead,
    tables: FeatureTables,
    labels: np.ndarray,
    train: np.ndarray,
    validation: np.ndarray,
    logits: np.ndarray,
    device: str = CPU,
) -> Diagnostics:
    """Measure a head before its refit.

    Args:
        trained: the head.
        tables: what it reads of N texts.
        labels: (N,) int64 class ids.
        train, validation: rows.
        logits: (m, C) float32 of the validation texts.
        device: what to predict on.
    """
    return Diagnostics(
        gain=measure_gain(labels[validation], logits),
        training=score_training(trained, tables, labels, train, device),
        steps=trained.steps,
    )


def score_training(
    trained: TrainedHead,
    tables: FeatureTables,
    labels: np.ndarray,
    train: np.ndarray,
    device: str = CPU,
) -> TrainingScore | None:
    """Score a head on some of the texts that it learned from, in evaluation mode.

    ``train_accuracy`` of the history is another number: it is counted before each step, with
    dropout, while the weights that are kept are averaged ones.
    """
    if trained.head == REMEMBERS:
        return None
    seen = len(train) * len(trained.history) if trained.steps else SCORED
    # At least 200, by which a share is known to 7 points.
    most = min(SCORED, max(200, int(SHARE * 3 * seen)))
    rows = train
    if len(train) > most:
        rows = train[np.linspace(0, len(train) - 1, most).astype(np.int64)]
    logits = trained.logits(tables, rows, device)
    if not np.isfinite(logits).all():
        return None
    predicted = logits.argmax(axis=1)
    return TrainingScore(
        texts=len(rows),
        accuracy=accuracy(labels[rows], predicted),
        loss=log_loss(labels[rows], logits),
    )
