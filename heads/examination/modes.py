"""Do training and evaluation mode of a module agree, apart from dropout?"""

from __future__ import annotations

import copy

import numpy as np
import torch

from features.vectors.table import FeatureTable
from heads.examination.dropout import without_dropout
from heads.examination.learning import Loop, parts, predict
from heads.examination.module import ForeignModule


@torch.no_grad()
def training_mode_logits(
    module: ForeignModule, table: FeatureTable, rows: np.ndarray, loop: Loop
) -> np.ndarray:
    """Return (n, C) float32 logits in training mode, dropout off; the module is left as it was.

    Batch normalisation then goes by the batch, not by what it has averaged while training.
    """
    other = copy.deepcopy(module)
    without_dropout(other)
    other.train()
    found = np.zeros((len(rows), module.classes), np.float32)
    for places, batch in parts(table, rows, loop):
        found[places] = other(batch.x, batch.mask).numpy()
    return found


def mode_difference(
    module: ForeignModule, table: FeatureTable, rows: np.ndarray, loop: Loop
) -> float:
    """Return how far the modes are apart, in deviations of the logits between texts.

    Args:
        module: left in evaluation mode.
        table: vectors of N texts.
        rows: (n,) int64.
        loop: size of the batches.
    """
    usual = predict(module, table, rows, loop)
    training = training_mode_logits(module, table, rows, loop)
    spread = float(usual.std(axis=0).mean())
    return float(np.abs(training - usual).mean()) / max(spread, 1e-12)
