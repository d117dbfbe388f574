"""M1 to M4: what the head knows, and how its steps went; from what the training measured."""

from __future__ import annotations

import math

import numpy as np

from heads.evaluation.gain import entropy
from heads.evaluation.metrics import macro_f1
from pipeline.doctor.case import Case
from pipeline.doctor.measurements import Epoch, Learning, Steps

SMOOTHED = 3
"""Epochs over which the training loss is averaged before it is called rising."""


def measure_learning(case: Case) -> Learning | None:
    """Return M1 and M2; None where no validation text has a class that training knows."""
    found = case.diagnostics
    if found is None or found.gain is None:
        return None
    gain, training = found.gain, found.training
    predicted = np.array(gain.predicted_counts) / gain.texts
    truth = case.labels[case.validation]
    effective_labels = math.exp(gain.constant_loss)
    epochs = tuple(
        Epoch(
            each.epoch,
            each.train_loss,
            each.train_accuracy,
            None if math.isnan(each.validation_loss) else each.validation_loss,
            each.validation_accuracy,
            each.value,
            each.gradient_norm,
        )
        for each in case.history
    )
    return Learning(
        texts=len(truth),
        accuracy=float(case.right.mean()),
        macro_f1=macro_f1(truth, case.predicted),
        loss=gain.calibrated_loss,
        majority=gain.majority,
        label_entropy=gain.constant_loss,
        effective_classes=math.exp(entropy(np.array(gain.predicted_counts))),
        effective_labels=effective_labels,
        recalls=tuple(None if math.isnan(each) else each for each in gain.recalls),
        predicted_shares=tuple(predicted.tolist()),
        probability_entropy=gain.mean_entropy * math.log(len(case.classes)),
        logit_spread=gain.logit_spread,
        train_texts=0 if training is None else training.texts,
        train_accuracy=None if training is None else training.accuracy,
        train_loss=None if training is None else training.loss,
        epochs=epochs,
        best_epoch=case.best_epoch,
        stopped_early=len(epochs) < int(getattr(case.settings, "epochs", len(epochs))),
    )


def measure_steps(case: Case) -> Steps | None:
    """Return M3 and M4; None of a head that takes no steps."""
    found = None if case.diagnostics is None else case.diagnostics.steps
    if found is None:
        return None
    batch = int(getattr(case.settings, "batch_size", 64))
    tensors = found.tensors
    return Steps(
        count=found.steps,
        per_epoch=math.ceil(len(case.train) / batch),
        update_ratio=found.log_ratio,
        update_ratios=tuple((each.name, each.log_ratio) for each in tensors),
        gradient_norm=found.gradient_norm,
        first_gradient=tensors[0].gradient_norm if tensors else None,
        last_gradient=tensors[-1].gradient_norm if tensors else None,
        clipped_share=found.clipped_share,
        unchanged=bool(tensors) and all(each.update_ratio == 0 for each in tensors),
        loss_rise=loss_rise([each.train_loss for each in case.history]),
    )


def loss_rise(losses: list[float]) -> float:
    """Return the smoothed training loss at the end over its minimum, less 1."""
    width = min(SMOOTHED, len(losses))
    if width == 0:
        return 0.0
    smooth = np.convolve(np.array(losses), np.ones(width) / width, mode="valid")
    lowest = float(smooth.min())
    return float(smooth[-1]) / lowest - 1 if lowest > 0 else 0.0
