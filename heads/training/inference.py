"""Inference: the logits of many texts from one head."""

from __future__ import annotations

import numpy as np
import torch

from features.vectors.table import FeatureTable
from heads.device import CPU, computing
from heads.head import Head
from heads.training.device_vectors import device_batches

# Texts per batch: on a processor its values stay in the cache, and a GPU waits for each batch.
BATCH_SIZE, GPU_BATCH_SIZE = 64, 256


@torch.inference_mode()
def compute_logits(
    head: Head,
    table: FeatureTable,
    rows: np.ndarray,
    device: str = CPU,
    bfloat16: bool = False,
) -> np.ndarray:
    """Return logits, dropout off, in float32 unless asked; the head stays in evaluation mode.

    Args:
        head: C classes, for vectors as wide as the table's.
        table: vectors of N texts.
        rows: (n,) int64 rows of the table.
        device: where the head is; the vectors are moved there.
        bfloat16: multiply in bfloat16: faster where the device has instructions for it.

    Returns:
        (n, C) float32, in the order of ``rows``.

    Raises:
        DeviceMemoryError: the memory of a GPU does not suffice.
    """
    head.eval()
    parts: list[torch.Tensor] = []
    places: list[np.ndarray] = []
    max_vectors, min_vectors = head.max_vectors, head.min_vectors
    size = BATCH_SIZE if device == CPU else GPU_BATCH_SIZE
    autocast = torch.autocast(torch.device(device).type, torch.bfloat16, enabled=bfloat16)
    with computing(device), autocast:
        for positions, batch in device_batches(
            table, rows, size, device, None, max_vectors, min_vectors
        ):
            parts.append(head(batch.x, batch.mask).float())
            places.append(positions)
        logits = torch.cat(parts).cpu().numpy()
    ordered = np.empty_like(logits)
    ordered[np.concatenate(places)] = logits
    return ordered
