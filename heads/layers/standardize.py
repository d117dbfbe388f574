"""Standardised inputs: the first layer of every sequence head.

A few features of a transformer's hidden states are many times larger than the others; without
standardising, a head learns those first and the others late.
"""

from __future__ import annotations

import hashlib
from weakref import WeakKeyDictionary

import numpy as np
import torch

from features.errors import BadVectorError
from features.vectors.table import FeatureTable
from heads.layers.masking import PIECE, in_pieces

# Vectors turned into float64 at a time while measuring: they stay in the processor's cache.
CHUNK = 1 << 10

# A feature that hardly varies carries rounding noise; it is not blown up beyond this.
MIN_DEVIATION = 1e-4

Statistics = tuple[np.ndarray, np.ndarray]
_MEASURED: WeakKeyDictionary[FeatureTable, dict[tuple[bytes, int], Statistics]] = (
    WeakKeyDictionary()
)
"""By table, then by rows and maximum: a search trains hundreds of heads on the same texts."""


class Standardize(torch.nn.Module):
    """(x - center) * scale at real positions, zero elsewhere; both are (D,) float32 buffers."""

    center: torch.Tensor
    scale: torch.Tensor

    def __init__(self, width: int, piece: int = PIECE) -> None:
        super().__init__()
        self.piece = piece
        self.register_buffer("center", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return (B, T, D) standardised vectors, float32 or as autocast chooses.

        Rounding to bfloat16 comes last, since before it the mean would swamp small deviations.

        Args:
            x: (B, T, D), any float dtype.
            mask: (B, T) bool.
        """
        if not in_pieces(x):  # on export len() would fix the number of texts
            return self._standardized(x, mask)
        texts = max(1, self.piece // x[0].numel())
        if texts >= len(x):
            return self._standardized(x, mask)
        parts = list(zip(torch.split(x, texts), torch.split(mask, texts), strict=True))
        first = self._standardized(*parts[0])
        out = torch.empty(x.shape, dtype=first.dtype)
        out[:texts] = first
        for place, part in enumerate(parts[1:], start=1):
            out[place * texts : (place + 1) * texts] = self._standardized(*part)
        return out

    def _standardized(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        # In place, on a copy: more tensors of this size cost as much as the arithmetic.
        x = x.to(torch.promote_types(x.dtype, torch.float32), copy=True)
        x = x.sub_(self.center).mul_(self.scale)
        if torch.is_autocast_enabled(x.device.type):
            x = x.to(torch.get_autocast_dtype(x.device.type))
        if in_pieces(x):  # in a tenth of the time, since padding is rare
            padding = (~mask).flatten().nonzero().squeeze(1)
            return x.flatten(0, 1).index_fill_(0, padding, 0.0).view(x.shape)
        return x.masked_fill_(~mask[:, :, None], 0.0)

    def measure(self, table: FeatureTable, rows: np.ndarray, max_vectors: int = 0) -> None:
        """Set both buffers from the vectors of ``rows``: mean and standard deviation per
        feature.

        Args:
            max_vectors: maximum number of vectors used per text, the first ones; 0: all.
        """
        self.set(*statistics(table, rows, max_vectors))

    def set(self, center: np.ndarray, deviation: np.ndarray) -> None:
        """Set both buffers from (D,) mean and standard deviation."""
        self.center.copy_(torch.from_numpy(center))
        self.scale.copy_(torch.from_numpy(1.0 / np.maximum(deviation, MIN_DEVIATION)))


def statistics(table: FeatureTable, rows: np.ndarray, max_vectors: int = 0) -> Statistics:
    """Return mean and standard deviation of each feature over the vectors of ``rows``.

    Args:
        max_vectors: maximum number of vectors used per text, the first ones; 0: all.

    Returns:
        (D,), (D,) float64.

    Raises:
        BadVectorError: a vector holds NaN or an infinite value.
    """
    known = _MEASURED.setdefault(table, {})
    key = hashlib.sha256(rows.tobytes()).digest(), max_vectors
    if key not in known:
        known[key] = _measure(table, rows, max_vectors)
    return known[key]


def _measure(table: FeatureTable, rows: np.ndarray, max_vectors: int) -> Statistics:
    """Return what ``statistics`` does, measured anew."""
    chosen = np.zeros(len(table), dtype=bool)
    chosen[rows] = True
    seen = np.repeat(chosen, table.lengths)
    if max_vectors:
        seen &= (
            np.arange(len(seen)) - np.repeat(table.offsets[:-1], table.lengths) < max_vectors
        )
    vectors = np.flatnonzero(seen)
    # Sums are taken around one of the vectors: a large mean would swamp a small deviation.
    around = table.values[vectors[0]].astype(np.float64)
    total = np.zeros(table.width)
    squares = np.zeros(table.width)
    for start in range(0, len(vectors), CHUNK):
        part = table.values[vectors[start : start + CHUNK]].astype(np.float64)
        bad = ~np.isfinite(part).all(axis=1)
        if bad.any():
            vector = vectors[start + int(bad.argmax())]
            text = int(np.searchsorted(table.offsets, vector, side="right")) - 1
            raise BadVectorError(
                f"vectors must be finite, but text {text} of the table holds NaN or infinity: "
                "encode its corpus again into a fresh cache"
            )
        part -= around
        total += part.sum(axis=0)
        squares += np.einsum("nd,nd->d", part, part)
    mean = total / len(vectors)
    variance = np.maximum(squares / len(vectors) - mean**2, 0.0)
    return around + mean, np.sqrt(variance)
