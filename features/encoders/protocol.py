"""The interface that the encoding job needs of an encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from features.vectors.block import Block
from features.vectors.spec import FeatureSpec

OnBatch = Callable[[int, int], None]
"""Called after every batch with its number of texts and of tokens without padding."""

Enough = Callable[[float], bool]
"""Called after every batch with the share of the work done; returns whether to stop there."""


class Encoder(Protocol):
    """The interface that the encoding stage needs; tests use counting fakes."""

    def encode(
        self, texts: Sequence[str], specs: Sequence[FeatureSpec], on_batch: OnBatch
    ) -> list[Block]:
        """Return one block per spec with the vectors of all texts, in their order."""
        ...


@runtime_checkable
class PausingEncoder(Encoder, Protocol):
    """An encoder that can stop between two batches, so that its work can be committed."""

    def encode_some(
        self,
        texts: Sequence[str],
        specs: Sequence[FeatureSpec],
        on_batch: OnBatch,
        enough: Enough,
    ) -> tuple[np.ndarray, list[Block]]:
        """Encode texts until ``enough`` returns True, in batches that do not depend on it.

        Returns:
            (m,) int64 sorted positions of the encoded texts, at least one; and one block per
            spec with their vectors.
        """
        ...


def backend_name(encoder: object) -> str:
    """Return the name of an encoder's back end; '' for encoders without one, such as fakes."""
    return str(getattr(getattr(encoder, "backend", None), "name", ""))
