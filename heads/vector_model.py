"""VectorModel: the part of a head that reads the vectors of a further encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from heads.problem import EpochRecord

PREFIX = "encoder{}."
"""Begins the names of its arrays beside the weights of a head; the number is from 2."""


@dataclass(frozen=True, eq=False)
class VectorModel:
    """A head of the same kind and settings, over vectors of its own.

    Attributes:
        table: which of the tables of vectors it reads, from 0.
        width: D of its vectors.
        share: of its logits in the sum with those of the parts before it, in (0, 1).
        state: its weights by name, float32.
        best: the record of its best epoch or value, which a refit uses; None of a stored head.
    """

    table: int
    width: int
    share: float
    state: dict[str, np.ndarray]
    best: EpochRecord | None = None


def further_arrays(models: Sequence[VectorModel]) -> dict[str, np.ndarray]:
    """Return the arrays of all further models by name, for a file of weights."""
    return {
        PREFIX.format(number) + name: value
        for number, model in enumerate(models, 2)
        for name, value in model.state.items()
    }


def split_further(
    arrays: Mapping[str, np.ndarray], count: int
) -> tuple[dict[str, np.ndarray], list[dict[str, np.ndarray]]]:
    """Return the weights of a head, and those of its ``count`` further models."""
    state = dict(arrays)
    further = []
    for number in range(2, count + 2):
        prefix = PREFIX.format(number)
        names = [name for name in state if name.startswith(prefix)]
        further.append({name.removeprefix(prefix): state.pop(name) for name in names})
    return state, further
