"""Token-budget batches: texts of like length together, so that little is padding."""

from __future__ import annotations

from itertools import pairwise

import numpy as np


def token_budget_batches(lengths: np.ndarray, budget: int) -> list[np.ndarray]:
    """Cut texts into batches whose padded size stays within a budget of tokens.

    The texts are sorted by length (stable), longest first: an allocation that does not fit
    then fails at the start, and later batches reuse its memory.

    Args:
        lengths: (N,) whole numbers, tokens a text after truncation, each at least 1.
        budget: tokens a batch, padding included. A longer text gets a batch of its own.

    Returns:
        Arrays of positions into ``lengths``; together they hold every position once.
    """
    order = np.argsort(-lengths, kind="stable")
    batches = []
    start = 0
    while start < len(order):
        longest = int(lengths[order[start]])
        count = max(1, budget // longest)
        batches.append(order[start : start + count])
        start += count
    return batches


def windows(sizes: np.ndarray, most_texts: int, most_size: int) -> list[slice]:
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
