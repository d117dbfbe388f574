"""Ragged arrays: rows of different lengths, stored one after another in one flat array."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np


def slices_by_size(sizes: np.ndarray, max_texts: int, max_size: int) -> list[slice]:
    """Cut a corpus into slices of consecutive texts of limited number and size.

    Args:
        sizes: (N,) expected size of each text in any unit, such as stored bytes.
        max_texts: maximum number of texts per slice.
        max_size: maximum sum of the sizes per slice; a larger text is a slice by itself.

    Returns:
        Slices over 0..N, in order, without gaps.
    """
    cuts = [0]
    total = 0
    for position, size in enumerate(sizes.tolist()):
        full = position - cuts[-1] >= max_texts or total + size > max_size
        if full and position > cuts[-1]:
            cuts.append(position)
            total = 0
        total += size
    if len(sizes):
        cuts.append(len(sizes))
    return [slice(a, b) for a, b in pairwise(cuts)]


def flat_rows(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the rows of the flat array that belong to some texts, text by text.

    Args:
        starts: (n,) int64, first row of each text.
        lengths: (n,) int64, number of rows of each text.

    Returns:
        (sum of lengths,) int64.
    """
    before = np.cumsum(lengths) - lengths
    rows: np.ndarray = np.arange(lengths.sum()) + np.repeat(starts - before, lengths)
    return rows


def padded(rows: Sequence[Sequence[int]], value: int) -> np.ndarray:
    """Return one array of rows of different lengths, filled up on the right.

    Args:
        rows: B rows of whole numbers.
        value: stands where a row has ended.

    Returns:
        (B, T) int64, T the longest length.
    """
    out = np.full((len(rows), max(map(len, rows))), value, dtype=np.int64)
    for index, row in enumerate(rows):
        out[index, : len(row)] = row
    return out
