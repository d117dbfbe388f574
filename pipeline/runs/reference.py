"""Reference vectors: what the training texts of a run look like, to tell when texts do not.

A run keeps the vectors of some training texts. The cosine of a text to the nearest of them says
how familiar it is (Sun et al., Out-of-distribution detection with deep nearest neighbors, ICML
2022). Held-out texts of the run say which cosines are usual.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from features.errors import CacheError, DamagedFileError
from features.splits.split import Split
from features.vectors.neighbors import unit

REFERENCE = "reference.safetensors"
VERSION = "1"
REMEDY = "train the run again"

MAX_VECTORS, MAX_HELD_OUT = 512, 2048
"""Training texts that are kept, and held-out texts that are compared with them, at most."""

RATE = 0.01
"""Share of held-out texts that count as unusual, where there are enough of them."""

CHANCE, SHARE = 0.02, 0.05
"""Texts are foreign if so many unusual ones come by chance more seldom than this, and are more
than this share of them."""

EXACT = 200
"""Beyond so many texts a share above ``SHARE`` is never chance."""


@dataclass(frozen=True, eq=False)
class Reference:
    """Vectors of some training texts, and the cosine below which a text is unusual.

    Attributes:
        vectors: (S, D) float32 unit vectors.
        threshold: minimum cosine of a usual text to the nearest of them.
        rate: share of held-out texts below it, in (0, 1).
    """

    vectors: np.ndarray
    threshold: float
    rate: float

    @classmethod
    def of(cls, pooled: np.ndarray, split: Split) -> Reference:
        """Return that of a split.

        The threshold is the k-th smallest of the cosines of m held-out texts. A text like them
        is below it with the chance k / (m + 1), whatever their distribution (conformal
        prediction).

        Args:
            pooled: (N, D) pooled vectors of the corpus.
            split: who trained and who did not.
        """
        random = np.random.default_rng(0)
        held_out = np.concatenate([split.validation, split.test])
        chosen = _sample(held_out, MAX_HELD_OUT, random)
        vectors = unit(pooled[_sample(split.train, MAX_VECTORS, random)])
        vectors = vectors.astype(np.float16).astype(np.float32)  # as they are stored
        nearest = np.sort((unit(pooled[chosen]) @ vectors.T).max(axis=1))
        rank = max(1, math.floor(RATE * (len(nearest) + 1)))
        return cls(vectors, float(nearest[rank - 1]), rank / (len(nearest) + 1))

    def unusual(self, pooled: np.ndarray) -> np.ndarray:
        """Return (n,) bool: which of (n, D) pooled vectors are less near than usual."""
        import torch

        # Not by numpy: the threads of its BLAS spin for a while after each product and take the
        # cores from the encoder, whose next batch then took twice as long.
        vectors = torch.from_numpy(self.vectors).T
        found = np.zeros(len(pooled), bool)
        for start in range(0, len(pooled), MAX_HELD_OUT):
            part = slice(start, start + MAX_HELD_OUT)
            nearest = (torch.from_numpy(unit(pooled[part])) @ vectors).amax(dim=1)
            found[part] = (nearest < self.threshold).numpy()
        return found

    def foreign(self, unusual: np.ndarray) -> bool:
        """Return whether (n,) texts have more unusual ones than texts like the held-out."""
        count, hits = len(unusual), int(unusual.sum())
        if hits <= SHARE * count:
            return False
        return count > EXACT or _chance(hits, count, self.rate) <= CHANCE


def _sample(rows: np.ndarray, most: int, random: np.random.Generator) -> np.ndarray:
    """Return at most ``most`` of some rows, in their order."""
    if len(rows) <= most:
        return np.sort(rows)
    return np.sort(random.choice(rows, most, replace=False))


def _chance(hits: int, count: int, rate: float) -> float:
    """Return the chance of at least ``hits`` of ``count`` at a rate (binomial)."""
    fewer = (math.comb(count, k) * rate**k * (1 - rate) ** (count - k) for k in range(hits))
    return 1 - sum(fewer)


def write_reference(path: Path, reference: Reference) -> None:
    """Write the reference vectors of a run as safetensors, in float16."""
    from safetensors.numpy import save

    numbers = {"threshold": repr(reference.threshold), "rate": repr(reference.rate)}
    vectors = np.ascontiguousarray(reference.vectors, dtype=np.float16)
    path.write_bytes(save({"vectors": vectors}, {"version": VERSION, **numbers}))


def read_reference(path: Path) -> Reference | None:
    """Return the reference vectors of a run; None of a run that is older than they are.

    Raises:
        DamagedFileError: the file does not hold them.
        CacheError: it is of a newer version.
    """
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            values = file.metadata() or {}
            vectors = file.get_tensor("vectors").astype(np.float32)
        if values.get("version") != VERSION:
            raise CacheError(
                f"{path} is of format version {values.get('version')}, this program reads "
                f"{VERSION}: use the manyheads that wrote it, or {REMEDY}"
            )
        found = Reference(vectors, float(values["threshold"]), float(values["rate"]))
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise DamagedFileError(path, error, REMEDY) from error
    if vectors.ndim != 2 or not len(vectors) or not math.isfinite(found.threshold):
        raise DamagedFileError(path, "it holds no vectors or no threshold", REMEDY)
    return found
