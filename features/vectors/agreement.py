"""Agreement of an encoder's vectors with the reference library's, and its limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from features.vectors.precision import MIN_COSINE

LARGEST_DIFFERENCE = 1e-4
"""Maximum difference of one component, of vectors scaled to length 1, by torch in float32.

Rounding in batches of another shape gives 1e-7 to 1e-6 (measured). Padding, a wrong layer or an
ignored setting give 1e-3 to 1.
"""


REFUSED_BELOW = {"float32": 0.9999, "bfloat16": 0.98}
"""Minimum cosine with which a back end or a precision may fill a space.

bfloat16 has 8 significant bits, so deep models with large states go down to 0.99, which a note
reports. An error, such as a wrong layer or a broken kernel, gives less than 0.9.
"""


@dataclass(frozen=True)
class Agreement:
    """How the vectors of one space agreed with the reference library's on the probe texts.

    Attributes:
        difference: largest difference of one component, of vectors scaled to length 1.
        cosine: smallest cosine of the two vectors of a text or token.
        padded: the difference in padded batches, if it is too large and texts are therefore
            encoded unpadded, in batches of texts with the same number of tokens; infinite if
            padded batches give NaN. None if texts are padded.
    """

    difference: float
    cosine: float
    padded: float | None = None

    @property
    def unpadded(self) -> bool:
        """Whether the space is filled with unpadded batches."""
        return self.padded is not None

    @property
    def exact(self) -> bool:
        """Whether rounding in float32 explains the differences."""
        return self.difference <= LARGEST_DIFFERENCE

    def within(self, precision: str) -> bool:
        """Return whether the rounding of a precision or a back end explains the cosine."""
        return self.cosine >= REFUSED_BELOW[precision]

    def close(self, precision: str) -> bool:
        """Return whether the vectors are as close as is usual for a precision."""
        return self.cosine >= MIN_COSINE[precision]

    def to_dict(self) -> dict[str, float | None]:
        """Return the numbers for ``space.json``, rounded; infinity becomes null."""
        values: dict[str, float | None] = {
            "difference": _rounded(self.difference),
            "cosine": round(self.cosine, 7),
        }
        if self.padded is not None:
            values["padded"] = None if math.isinf(self.padded) else _rounded(self.padded)
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Agreement:
        """Return what ``to_dict`` wrote. Raises ``LookupError``, ``TypeError`` or
        ``ValueError``."""
        padded = None
        if "padded" in values:
            padded = math.inf if values["padded"] is None else float(values["padded"])
        return cls(float(values["difference"]), float(values["cosine"]), padded)


def agreement(own: Sequence[np.ndarray], reference: Sequence[np.ndarray]) -> Agreement:
    """Compare vectors with the reference library's, text by text.

    Args:
        own: one (T, D) array per text.
        reference: one (T, D) array per text, all finite.
    """
    pairs = [_compared(a, b) for a, b in zip(own, reference, strict=True)]
    return Agreement(max(pair[0] for pair in pairs), min(pair[1] for pair in pairs))


def smallest_cosine(one: np.ndarray, other: np.ndarray) -> float:
    """Return the smallest cosine of two (T, D) arrays, row by row; -1 if T differs."""
    if one.shape != other.shape:
        return -1.0
    a, b = one.astype(np.float64), other.astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(axis=1) / norms).min())


def _compared(own: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """Return the largest difference and the smallest cosine of one text."""
    if own.shape != reference.shape or not np.isfinite(own).all():
        return math.inf, -1.0
    norms = np.linalg.norm(reference.astype(np.float64), axis=1, keepdims=True)
    apart = np.abs(own.astype(np.float64) - reference) / np.maximum(norms, 1e-12)
    return float(apart.max()), smallest_cosine(own, reference)


def _rounded(difference: float) -> float:
    return float(f"{difference:.2e}")
