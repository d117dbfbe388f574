"""Bad vectors: NaN, infinite (also after rounding to the stored type) or all zero.

They are reported and never stored.
"""

from __future__ import annotations

import numpy as np

from features.encoding.units import WorkUnit
from features.errors import BadVectorError
from features.messages import listed
from features.vectors.block import Block
from features.vectors.precision import LARGEST
from features.vectors.spec import FeatureSpec

BAD_SHOWN = 3
"""Maximum number of texts with bad vectors that a message quotes."""


class BadTexts:
    """The texts with bad vectors, collected for one message."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.shown: list[str] = []
        self._large = False

    def add(self, unit: WorkUnit, large: bool = False) -> None:
        """Add the texts of a unit.

        Args:
            unit: texts with bad vectors.
            large: whether some vectors are finite but too large for the stored type.
        """
        self._large |= large
        for row, text in zip(unit.rows.tolist(), unit.texts, strict=True):
            self.rows.append(row)
            if len(self.shown) < BAD_SHOWN:
                self.shown.append(f"text {row + 1}: {text[:60]!r}")

    @property
    def beside(self) -> str:
        """The end of a message about another error; '' if there are no bad texts."""
        if not self.rows:
            return ""
        return (
            f", and {len(self.rows):,} more had NaN, infinite or all-zero vectors "
            f"({'; '.join(self.shown)})"
        )

    def refuse(self) -> None:
        """Raise ``BadVectorError`` if there are any bad texts."""
        if not self.rows:
            return
        numbers = listed((row + 1 for row in sorted(self.rows)), 100)
        remedy = "use float32 with --precision float32"
        if self._large:
            remedy = (
                "store numbers that are too large for float16 and int8 with --dtype float32"
            )
        raise BadVectorError(
            "the encoder gave NaN, infinite or all-zero vectors for "
            f"{len(self.rows)} texts, which were not stored (texts "
            f"{numbers}; {'; '.join(self.shown)}); all "
            f"others were. Leave those texts out, or {remedy}"
        )


def sound_texts(block: Block, spec: FeatureSpec) -> np.ndarray:
    """Return (n,) bool: texts whose vectors are all finite, as stored too, and not zero."""
    # NaN where one is, and then no comparison holds.
    largest = _largest(block)
    return _of_all(block, (largest > 0) & (largest <= LARGEST[spec.dtype]))


def too_large(block: Block, spec: FeatureSpec) -> np.ndarray:
    """Return (n,) bool: texts with vectors that fit float32 but not the stored type.

    In float16 such a number has become infinite already.
    """
    if spec.dtype == "float32":
        return np.zeros(len(block.lengths), bool)
    return ~_of_all(block, ~(_largest(block) > LARGEST[spec.dtype]))


def _largest(block: Block) -> np.ndarray:
    """Return (vectors,) float64: the largest absolute value of each vector."""
    largest: np.ndarray = np.abs(block.values).max(axis=1).astype(np.float64)
    return largest


def _of_all(block: Block, fine: np.ndarray) -> np.ndarray:
    """Return (n,) bool: texts whose vectors are all fine.

    Args:
        fine: (vectors,) bool.
    """
    starts = np.cumsum(block.lengths) - block.lengths
    every: np.ndarray = np.logical_and.reduceat(fine, starts)
    return every
