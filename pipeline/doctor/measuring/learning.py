"""M1 to M4: what the head knows, and how its steps went. From what training measured."""

from __future__ import annotations

import numpy as np

from heads.evaluation.gain import measure_gain
from heads.evaluation.measurements import Gain, StepMeasurements, TrainingScore
from heads.evaluation.metrics import confusion, macro_f1
from heads.problem import EpochRecord
from pipeline.doctor.case import Case
from pipeline.doctor.measurements import Epoch, Learning, Steps

SMOOTHED = 3
"""Epochs over which the training loss is averaged, to see whether it rises."""


def measure_learning(case: Case) -> Learning | None:
    """Return what the kept head knows; None if it knows no class of the validation texts."""
    labels = case.labels[case.validation]
    gain = measure_gain(labels, case.logits)
    if gain is None:
        return None
    score = _training_score(case)
    patience = getattr(case.settings, "patience", 0)
    epochs = getattr(case.settings, "epochs", 0)
    ended = len(case.history) < epochs and len(case.history) - case.best_epoch >= patience
    return Learning(
        texts=len(labels),
        accuracy=float(case.right.mean()),
        macro_f1=macro_f1(labels, case.predicted),
        loss=gain.loss,
        majority=_majority(case),
        label_entropy=gain.constant_loss,
        effective_classes=gain.effective_classes * float(np.exp(gain.constant_loss)),
        effective_labels=float(np.exp(gain.constant_loss)),
        recalls=_recalls(gain),
        predicted_shares=tuple(count / gain.texts for count in gain.predicted_counts),
        probability_entropy=gain.mean_entropy * float(np.log(max(2, len(case.classes)))),
        logit_spread=gain.logit_spread,
        train_texts=0 if score is None else score.texts,
        train_accuracy=None if score is None else score.accuracy,
        train_loss=None if score is None else score.loss,
        epochs=tuple(_epoch(record) for record in case.history),
        best_epoch=case.best_epoch,
        stopped_early=ended,
        calibrated_loss=gain.calibrated_loss,
        confused=confused(labels, case.predicted, len(case.classes)),
    )


def measure_steps(case: Case) -> Steps | None:
    """Return how the steps went; None for a head that takes none, or if nobody watched."""
    found = None
    if case.diagnostics is not None:
        found = case.diagnostics.steps
    if found is None and case.trained is not None:
        found = case.trained.steps
    return None if found is None else steps_of(found, case.history)


def steps_of(found: StepMeasurements, history: tuple[EpochRecord, ...]) -> Steps:
    """Return what training measured of its steps, as the doctor reads it."""
    tensors = found.tensors
    return Steps(
        count=found.steps,
        per_epoch=round(found.steps / max(1, len(history))),
        update_ratio=found.log_ratio,
        update_ratios=tuple((one.name, one.log_ratio) for one in tensors),
        gradient_norm=found.gradient_norm,
        first_gradient=tensors[0].gradient_norm if tensors else None,
        last_gradient=tensors[-1].gradient_norm if tensors else None,
        clipped_share=found.clipped_share,
        loss_rise=loss_rise([record.train_loss for record in history]),
        early_ratio=found.early_log_ratio,
        far_clipped_share=found.far_clipped_share,
    )


def loss_rise(losses: list[float]) -> float:
    """Return how far the smoothed training loss ends above its minimum, as a share of that."""
    if len(losses) < 2 * SMOOTHED:
        return 0.0
    smoothed = np.convolve(losses, np.ones(SMOOTHED) / SMOOTHED, mode="valid")
    return float(smoothed[-1] / max(float(smoothed.min()), 1e-9) - 1)


def confused(
    labels: np.ndarray, predicted: np.ndarray, classes: int, most: int = 3
) -> tuple[tuple[int, int, int, int], ...]:
    """Return the pairs of classes with most errors between them.

    Args:
        labels, predicted: (m,) class ids; labels from ``classes`` up are left out.
        classes: C.
        most: pairs at the most.

    Returns:
        Both ids, the errors between them, and the texts of either answered with one of them.
    """
    known = labels < classes
    counts = confusion(labels[known], predicted[known], classes)
    errors = np.triu(counts + counts.T, 1)
    order = np.argsort(-errors, axis=None, kind="stable")[:most]
    pairs = zip(*np.unravel_index(order, errors.shape), strict=True)
    return tuple(
        (int(i), int(j), int(errors[i, j]), int(errors[i, j] + counts[i, i] + counts[j, j]))
        for i, j in pairs
        if errors[i, j]
    )


def _training_score(case: Case) -> TrainingScore | None:
    if case.diagnostics is not None:
        return case.diagnostics.training
    if case.trained is None:
        return None
    from pipeline.training.diagnosis import score_training  # imports torch

    return score_training(case.trained, case.tables, case.labels, case.train, case.device)


def _majority(case: Case) -> float:
    counts = np.bincount(case.labels[case.train], minlength=len(case.classes))
    return float((case.labels[case.validation] == counts.argmax()).mean())


def _recalls(gain: Gain) -> tuple[float | None, ...]:
    return tuple(
        hits / count if count else None
        for hits, count in zip(gain.hits, gain.label_counts, strict=True)
    )


def _epoch(record: EpochRecord) -> Epoch:
    loss = record.validation_loss
    return Epoch(
        epoch=record.epoch,
        train_loss=record.train_loss,
        train_accuracy=record.train_accuracy,
        validation_loss=loss if np.isfinite(loss) else None,
        validation_accuracy=record.validation_accuracy,
        value=record.value,
        gradient_norm=record.gradient_norm,
    )
