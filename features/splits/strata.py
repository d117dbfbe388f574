"""Stratified draws: the same share of every class, in units.

A unit is a set of rows that must stay together. All functions are pure: random numbers come
from a generator that the caller passes.
"""

from __future__ import annotations

import numpy as np


def draw(
    sizes: np.ndarray, strata: np.ndarray, share: float, leave: int, rng: np.random.Generator
) -> np.ndarray:
    """Return indices of units drawn at random so that every class gives ``share`` of its rows.

    Every class gives at least one unit and keeps at least ``leave``, so it must have more
    than ``leave`` units. The rows drawn from a class differ from its share by at most one
    unit, except where these two rules require more, and the rounding errors of the classes
    cancel out.

    Args:
        sizes: (U,) rows per unit.
        strata: (U,) int64 class of each unit.
        share: share of the rows to draw, between 0 and 1.
        leave: minimum number of units that remain in each class.
        rng: generator of all random numbers.

    Returns:
        int64 indices of the units drawn.
    """
    rows = np.bincount(strata, weights=sizes)
    present = np.flatnonzero(rows)
    targets = dict(zip(present.tolist(), _targets(rows[present], share, rng), strict=True))
    order = rng.permutation(len(sizes))
    order = order[np.argsort(strata[order], kind="stable")]
    ends = np.flatnonzero(np.diff(strata[order])) + 1
    drawn = [
        _filled(members, sizes[members], targets[int(strata[members[0]])], leave)
        for members in np.split(order, ends)
        if len(members)
    ]
    return np.concatenate([np.zeros(0, np.int64), *drawn])


def sample(classes: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return the sorted rows of a stratified sample, with at least one row per class.

    Args:
        classes: (N,) int64 class of each row.
        count: rows to draw; if there are no more than that, all are returned.
        rng: generator of all random numbers.
    """
    if count >= len(classes):
        return np.arange(len(classes))
    drawn = draw(np.ones(len(classes), np.int64), classes, count / len(classes), 0, rng)
    rows: np.ndarray = np.sort(drawn)
    return rows


def _targets(rows: np.ndarray, share: float, rng: np.random.Generator) -> list[int]:
    """Return how many rows to draw from each class: its share, rounded, and at least 1.

    The classes with the largest remainders are rounded up (ties are drawn), so that the sum
    is the rounded share of all rows.
    """
    exact = share * rows
    low = np.maximum(np.floor(exact), 1)
    room = np.maximum(np.ceil(exact), 1) - low
    total = np.clip(round(share * float(rows.sum())), low.sum(), (low + room).sum())
    by_remainder = np.lexsort((rng.random(len(rows)), low - exact))
    can_rise = by_remainder[room[by_remainder] > 0]
    low[can_rise[: int(total - low.sum())]] += 1
    return [int(target) for target in low]


def _filled(members: np.ndarray, sizes: np.ndarray, target: int, leave: int) -> np.ndarray:
    """Return units of one class with about ``target`` rows, taken in order while they fit."""
    max_units = len(members) - leave
    if sizes.max() == 1:
        return members[: min(target, max_units)]
    taken: list[int] = []
    spare: list[int] = []
    rows = 0
    for index, size in enumerate(sizes.tolist()):
        fits = rows + size <= target and len(taken) < max_units
        (taken if fits else spare).append(index)
        rows += size if fits else 0
    # With the smallest unit that did not fit, the sum may still be nearer to the target.
    smallest = min(spare, key=lambda index: int(sizes[index]))
    over = rows + int(sizes[smallest]) - target
    if len(taken) < max_units and (not taken or abs(over) < target - rows):
        taken.append(smallest)
    return members[taken]
