"""What the encoding job asks of an encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from features.vectors.block import Block
from features.vectors.spec import FeatureSpec

OnBatch = Callable[[int, int], None]
"""Called after every batch with its number of texts and of real tokens."""

Enough = Callable[[float], bool]
"""Asked after every batch, with the share of the work that is done: whether to stop there."""


class Encoder(Protocol):
    """What this stage asks of an encoder; tests put counting fakes in its place."""

    def encode(
        self, texts: Sequence[str], specs: Sequence[FeatureSpec], on_batch: OnBatch
    ) -> list[Block]:
        """One block a spec, each with the vectors of all texts in the order given."""
        ...


@runtime_checkable
class PausingEncoder(Encoder, Protocol):
    """An encoder that can stop between two batches, for a commit of what it has."""

    def encode_some(
        self,
        texts: Sequence[str],
        specs: Sequence[FeatureSpec],
        on_batch: OnBatch,
        enough: Enough,
    ) -> tuple[np.ndarray, list[Block]]:
        """Encode texts until ``enough`` says so, in batches that do not depend on it.

        Returns:
            The positions of the encoded texts, (m,) int64 in rising order, at least one of
            them; and one block per spec with the vectors of these.
        """
        ...


def backend_name(encoder: object) -> str:
    """What runs an encoder; '' for encoders that have no back end, such as tests'."""
    return str(getattr(getattr(encoder, "backend", None), "name", ""))
