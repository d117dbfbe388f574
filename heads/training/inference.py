"""Inference: the logits of many texts from one head."""

from __future__ import annotations

import numpy as np
import torch

from features.vectors.table import FeatureTable
from heads.head import Head
from heads.training.batches import batches

# Texts a batch; without gradients more fit into the cache.
BATCH_SIZE = 256


@torch.inference_mode()
def compute_logits(head: Head, table: FeatureTable, rows: np.ndarray) -> np.ndarray:
    """Return logits in float32 precision, dropout off, the head left in evaluation mode.

    Args:
        head: C classes, for vectors as wide as the table's.
        table: vectors of N texts.
        rows: (n,) int64 rows of the table.

    Returns:
        (n, C) float32, in the order of ``rows``.
    """
    head.eval()
    parts: list[np.ndarray] = []
    places: list[np.ndarray] = []
    max_vectors, min_vectors = head.max_vectors, head.min_vectors
    for positions, batch in batches(
        table, rows, BATCH_SIZE, max_vectors=max_vectors, min_vectors=min_vectors
    ):
        parts.append(head(batch.x, batch.mask).float().numpy())
        places.append(positions)
    logits = np.concatenate(parts)
    ordered = np.empty_like(logits)
    ordered[np.concatenate(places)] = logits
    return ordered
