"""The vectors of a table on the device of a head: kept there if they fit, else streamed.

Batches are planned on the processor and are the same on every device.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from weakref import WeakKeyDictionary

import numpy as np
import torch

from features.vectors.ragged import flat_rows
from features.vectors.table import FeatureTable
from heads.device import CPU, CUDA, MPS, free_memory
from heads.training.batches import Batch, batches, gather, plan, seen_lengths

SHARE = 0.5
"""Share of a GPU's free memory that vectors may take; the rest is for training."""

AHEAD = 4
"""Batches that are gathered while the GPU computes, when the vectors do not fit."""

MEASURED = 1 << 16
"""Vectors turned into float64 at a time on the device."""

CHUNK = 1 << 26
"""Bytes that are copied to the GPU at a time."""


def device_batches(
    table: FeatureTable,
    rows: np.ndarray,
    batch_size: int,
    device: str,
    random: np.random.Generator | None = None,
    max_vectors: int = 0,
    min_vectors: int = 0,
) -> Iterator[tuple[np.ndarray, Batch]]:
    """Yield the batches of :func:`heads.training.batches.batches`, on a device.

    Args:
        device: as :func:`heads.device.find_device` gives it.
    """
    if device == CPU:
        yield from batches(table, rows, batch_size, random, max_vectors, min_vectors)
        return
    lengths = seen_lengths(table, rows, max_vectors)
    parts = plan(lengths, batch_size, random, min_vectors=min_vectors)
    vectors = vectors_on(table, device)
    found = vectors.batches((rows[part] for part in parts), max_vectors)
    yield from zip(parts, found, strict=True)


def device_statistics(
    table: FeatureTable, rows: np.ndarray, max_vectors: int, device: str
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return what :func:`heads.layers.standardize.statistics` does, measured on a device.

    Returns:
        (D,), (D,) float64; None if the vectors are not there, the device has no float64, or a
        vector is not finite: then the processor measures, and says which.
    """
    vectors = None if device in (CPU, MPS) else vectors_on(table, device)
    if not isinstance(vectors, ResidentVectors):
        return None
    mean, deviation = vectors.statistics(rows, max_vectors)
    finite = np.isfinite(mean).all() and np.isfinite(deviation).all()
    return (mean, deviation) if finite else None


class ResidentVectors:
    """All vectors of a table in the memory of a device.

    Args:
        table: N texts.
        device: torch device.
    """

    def __init__(self, table: FeatureTable, device: str) -> None:
        # Not the table itself: what is kept per table must not keep the table.
        self.offsets = table.offsets
        self.device = torch.device(device)
        with torch.inference_mode(False):  # a prediction may come first, and then a training
            self.values = moved(table.values, self.device)

    def batches(self, parts: Iterable[np.ndarray], max_vectors: int) -> Iterator[Batch]:
        """Yield one batch for each (B,) rows of the table."""
        for rows in parts:
            yield self._batch(rows, max_vectors)

    @torch.no_grad()
    def statistics(self, rows: np.ndarray, max_vectors: int) -> tuple[np.ndarray, np.ndarray]:
        """Return (D,), (D,) float64 mean and standard deviation of the vectors of some rows."""
        places = torch.from_numpy(flat_rows(*self._places(np.unique(rows), max_vectors)))
        around = self.values[places[0]].double()
        total, squares = torch.zeros_like(around), torch.zeros_like(around)
        for chosen in torch.split(places.to(self.device), MEASURED):
            part = self.values.index_select(0, chosen).double() - around
            total += part.sum(dim=0)
            squares += part.square().sum(dim=0)
        mean = total / len(places)
        variance = (squares / len(places) - mean.square()).clamp_min(0.0)
        return (around + mean).cpu().numpy(), variance.sqrt().cpu().numpy()

    def _places(self, rows: np.ndarray, max_vectors: int) -> tuple[np.ndarray, np.ndarray]:
        """Return (B,), (B,) int64: first vector and number of vectors of some rows."""
        starts = self.offsets[rows]
        lengths = self.offsets[rows + 1] - starts
        return starts, np.minimum(lengths, max_vectors) if max_vectors else lengths

    def _batch(self, rows: np.ndarray, max_vectors: int) -> Batch:
        starts, lengths = self._places(rows, max_vectors)
        # One small copy a batch, and the longest is known here: the GPU is not waited for.
        places = torch.from_numpy(np.stack([starts, lengths]))
        places = places.to(self.device, non_blocking=True)
        steps = torch.arange(int(lengths.max()), device=self.device)
        lengths_there = places[1][:, None]
        mask = steps < lengths_there
        index = places[0][:, None] + torch.minimum(steps, lengths_there - 1)
        x = self.values.index_select(0, index.flatten()).view(*index.shape, -1)
        return Batch(rows, x.masked_fill_(~mask[:, :, None], 0), mask)


class StreamedVectors:
    """Vectors that do not fit: a thread gathers the next batches while the device computes.

    Args:
        table: N texts.
        device: torch device.
    """

    def __init__(self, table: FeatureTable, device: str) -> None:
        self.table = table
        self.device = torch.device(device)

    def batches(self, parts: Iterable[np.ndarray], max_vectors: int) -> Iterator[Batch]:
        """Yield one batch for each (B,) rows of the table."""
        with ThreadPoolExecutor(1, "gathering") as thread:
            waiting: deque[Future[Batch]] = deque()
            for rows in parts:
                waiting.append(thread.submit(self._gathered, rows, max_vectors))
                if len(waiting) > AHEAD:
                    yield self._sent(waiting.popleft().result())
            while waiting:
                yield self._sent(waiting.popleft().result())

    def _gathered(self, rows: np.ndarray, max_vectors: int) -> Batch:
        batch = gather(self.table, rows, max_vectors)
        if self.device.type != CUDA:
            return batch
        # The copy from pinned memory needs nobody to wait for it.
        return Batch(rows, batch.x.pin_memory(), batch.mask.pin_memory())

    def _sent(self, batch: Batch) -> Batch:
        x, mask = (each.to(self.device, non_blocking=True) for each in (batch.x, batch.mask))
        return Batch(batch.rows, x, mask)


_resident: WeakKeyDictionary[FeatureTable, dict[str, ResidentVectors]] = WeakKeyDictionary()
"""What was moved, as long as its table lives: trainings of one table share it."""


def vectors_on(table: FeatureTable, device: str) -> ResidentVectors | StreamedVectors:
    """Return the vectors of a table for a device; they are moved there once."""
    there = _resident.setdefault(table, {})
    if device in there:
        return there[device]
    if table.values.nbytes > SHARE * free_memory(device):
        return StreamedVectors(table, device)
    return there.setdefault(device, ResidentVectors(table, device))


def moved(values: np.ndarray, device: torch.device) -> torch.Tensor:
    """Return a copy of (V, D) vectors on a device, chunk by chunk.

    ``values`` may be read-only or on disk, so each chunk is copied before torch sees it.
    """
    out: torch.Tensor | None = None
    step = max(1, CHUNK // max(1, values[:1].nbytes))
    for start in range(0, len(values), step):
        part = torch.from_numpy(np.array(values[start : start + step]))
        if out is None:
            out = torch.empty(values.shape, dtype=part.dtype, device=device)
        out[start : start + len(part)].copy_(part)
    return torch.empty(values.shape, device=device) if out is None else out
