"""Drawing rows class by class, in whole units: the arithmetic under ``splits``.

A unit is a set of rows that must not be parted. All functions here are pure; chance comes
in as a generator.
"""

from __future__ import annotations

import numpy as np


def draw(
    sizes: np.ndarray, strata: np.ndarray, share: float, leave: int, rng: np.random.Generator
) -> np.ndarray:
    """Indices of units drawn at random so that every class gives ``share`` of its rows.

    Every class gives at least one unit and keeps at least ``leave``; it must have more
    than that. Its rows drawn differ from its share by one unit at most (and by what those
    two rules ask), and the classes' roundings cancel out.

    Args:
        sizes: (U,) rows of each unit.
        strata: (U,) int64 class of each unit.
        share: of the rows, between 0 and 1.
        leave: units of each class that stay.
        rng: the only source of chance.
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
    """Sorted rows of a sample in which every class has its share, and one row at least.

    Args:
        classes: (N,) int64 class of each row.
        count: rows of the sample; all where there are no more.
        rng: the only source of chance.
    """
    if count >= len(classes):
        return np.arange(len(classes))
    drawn = draw(np.ones(len(classes), np.int64), classes, count / len(classes), 0, rng)
    rows: np.ndarray = np.sort(drawn)
    return rows


def _targets(rows: np.ndarray, share: float, rng: np.random.Generator) -> list[int]:
    """Rows to draw from each class: its share rounded down or up, but 1 at least.

    Who is rounded up goes by the largest remainder (ties by chance), so that the sum is the
    share of all rows, rounded.
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
    """Units of one class, taken in order while they fit into ``target`` rows."""
    most = len(members) - leave
    if sizes.max() == 1:
        return members[: min(target, most)]
    taken: list[int] = []
    spare: list[int] = []
    rows = 0
    for index, size in enumerate(sizes.tolist()):
        fits = rows + size <= target and len(taken) < most
        (taken if fits else spare).append(index)
        rows += size if fits else 0
    # The smallest unit that did not fit may still come nearer to the target than none.
    smallest = min(spare, key=lambda index: int(sizes[index]))
    over = rows + int(sizes[smallest]) - target
    if len(taken) < most and (not taken or abs(over) < target - rows):
        taken.append(smallest)
    return members[taken]
