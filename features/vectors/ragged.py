"""Ragged arrays: rows of different lengths, one after another in one flat array."""

from __future__ import annotations

from itertools import pairwise

import numpy as np


def slices_by_size(sizes: np.ndarray, most_texts: int, most_size: int) -> list[slice]:
    """Cut a corpus into runs of neighbours, each one unit of work and one shard.

    Args:
        sizes: (N,) expected size of each text in any unit, such as stored bytes.
        most_texts: texts a window at the most.
        most_size: summed size a window at the most; one larger text stands alone.

    Returns:
        Slices over 0..N, in order, without gaps.
    """
    cuts = [0]
    total = 0
    for position, size in enumerate(sizes.tolist()):
        full = position - cuts[-1] >= most_texts or total + size > most_size
        if full and position > cuts[-1]:
            cuts.append(position)
            total = 0
        total += size
    if len(sizes):
        cuts.append(len(sizes))
    return [slice(a, b) for a, b in pairwise(cuts)]


def flat_rows(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Rows of the flat values that the texts own: all of the first, all of the second, ..."""
    before = np.cumsum(lengths) - lengths
    places: np.ndarray = np.arange(lengths.sum()) + np.repeat(starts - before, lengths)
    return places
