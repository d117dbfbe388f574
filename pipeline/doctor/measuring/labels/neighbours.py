"""M8: do labels belong to their texts? Neighbours in the vectors should share labels.

Labels are compared with those of the nearest other texts, in all, class by class and by
position in the file. The means of the classes are compared too: they lie apart where a signal
is too weak for neighbours. Chance is what permuted labels give. Where labels have slipped,
moving them back by as many rows makes the neighbours agree again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from pipeline.doctor.case import Case
from pipeline.doctor.measurements import Neighbours
from pipeline.doctor.measuring.labels.classes import (
    closest_classes,
    deviation_of,
    means_z,
    z_among,
)
from pipeline.doctor.measuring.learning import confused
from pipeline.doctor.measuring.pooled import centred, pooled_of
from pipeline.doctor.measuring.vectors import spaced

NEAREST = 10

PERMUTATIONS, LEAST_PERMUTATIONS, PERMUTED = 200, 20, 400_000
"""Permutations of the labels: the first, or as many as move this many labels in all, or the
second. From 20 of them alone a deviation is known to a sixth, so chance looks like a signal."""

MOST_MEANS = 5000
"""Texts whose means are compared, evenly spaced."""

COPY = 0.9999
"""Cosine from which a neighbour is the same text, which tells nothing."""

MOST = 20_000
"""Texts that are looked at, evenly spaced."""

LEAST = 40
"""With fewer texts nothing is measured."""

BREAK = 2.0
"""Largest deviation of the running sum from a straight line, in the deviations of Brownian
motion: by chance above 1.63 in 1 of 100 files (Kolmogorov). Ours, starting value."""

FALL = 0.5
"""Of what agreement is above chance, this much must be lost behind a break. Ours."""

SHIFTS = (-5, -4, -3, -2, -1, 1, 2, 3, 4, 5)

STRETCHES, LEAST_OF_STRETCH = 40, 10
"""Stretches of the file whose agreement is told, and texts of each at least."""

EDGE = 20
"""Texts at either end of the file, among which no break is looked for."""


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """The nearest texts of some texts.

    Attributes:
        rows: (n,) int64 rows of the corpus, rising: training and validation texts.
        nearest: (n, k) int64 positions in ``rows``.
        real: (n, k) bool: whether a neighbour counts; copies of the text do not.
    """

    rows: np.ndarray
    nearest: np.ndarray
    real: np.ndarray

    def agreement(self, labels: np.ndarray) -> np.ndarray:
        """Return (n,) float64: share of each text's neighbours with its label.

        Args:
            labels: (n,) class ids.
        """
        same = (labels[self.nearest] == labels[:, None]) & self.real
        shares: np.ndarray = same.sum(axis=1) / np.maximum(self.real.sum(axis=1), 1)
        return shares


def measure_neighbours(case: Case) -> Neighbours | None:
    """Return how well labels fit to neighbours; None without vectors or with few texts."""
    around = neighbourhood_of(case)
    if around is None:
        return None
    found = neighbours_of(around, case.labels)
    vectors, own = _distinct(case, around)
    found = replace(
        found,
        means_z=means_z(vectors, own),
        confused_z=_confused_z(case, vectors, own),
        **closest_classes(vectors, own),
    )
    found = replace(found, closest_confused=_confused_between(case, found.closest))
    if found.break_row is None and found.offset is None:
        return found
    stretches = by_position(around, case.labels, found.offset, found.break_row or 0)
    if case.corpus is None:
        return replace(found, by_position=stretches)
    rows = case.corpus.rows
    return replace(
        found,
        by_position=tuple((rows[row], own, moved) for row, own, moved in stretches),
        break_row=None if found.break_row is None else rows[found.break_row],
    )


def by_position(
    around: Neighbourhood, labels: np.ndarray, offset: int | None, first: int
) -> tuple[tuple[int, float, float | None], ...]:
    """Return agreement along the file: a row in the middle of each stretch, as it is, moved.

    Args:
        around: the neighbours.
        labels: (N,) class ids of the corpus.
        offset: by how many rows labels are moved, from the row ``first`` on; None: not at all.
    """
    own = around.agreement(labels[around.rows])
    moved = None
    if offset is not None:
        moved = around.agreement(moved_labels(labels, offset, first)[around.rows])
    count = min(STRETCHES, max(1, len(own) // LEAST_OF_STRETCH))
    return tuple(
        (
            int(around.rows[each[len(each) // 2]]),
            float(own[each].mean()),
            None if moved is None else float(moved[each].mean()),
        )
        for each in np.array_split(np.arange(len(own)), count)
    )


def neighbourhood_of(case: Case) -> Neighbourhood | None:
    """Return the neighbours of training and validation texts; None without vectors."""
    pooled = pooled_of(case)
    rows = spaced(np.sort(np.concatenate([case.train, case.validation])), MOST)
    if pooled is None or len(rows) < LEAST:
        return None
    return neighbourhood(centred(pooled, case.train)[rows], rows)


def neighbourhood(vectors: np.ndarray, rows: np.ndarray) -> Neighbourhood:
    """Return the neighbours of texts from their (n, D) unit vectors."""
    from features.vectors.neighbors import nearest  # imports faiss

    asked = min(len(rows), 2 * NEAREST + 1)
    cosines, found = nearest(np.ascontiguousarray(vectors), vectors, asked)
    real = (found != np.arange(len(rows))[:, None]) & (found >= 0) & (cosines < COPY)
    real &= real.cumsum(axis=1) <= NEAREST
    return Neighbourhood(rows, found, real)


def neighbours_of(around: Neighbourhood, labels: np.ndarray) -> Neighbours:
    """Return how well the labels fit.

    Args:
        around: the neighbours.
        labels: (N,) class ids of the corpus.
    """
    own = labels[around.rows]
    shares = around.agreement(own)
    chance, deviation, balanced_z = _chance(around, own)
    agreement = float(shares.mean())
    z = (agreement - chance) / deviation
    whole = Neighbours(agreement, chance, z, balanced_z=balanced_z)
    place = _break(shares, own)
    if place is None and (rise := _rise(shares, own, chance)) is not None:
        before, after = float(shares[:rise].mean()), float(shares[rise:].mean())
        return replace(
            whole,
            rises=True,
            break_row=int(around.rows[rise]),
            z_before=_z(before, chance, deviation, rise / len(shares)),
            z_after=_z(after, chance, deviation, 1 - rise / len(shares)),
            agreement_before=before,
            agreement_after=after,
        )
    if place is None:
        shift, moved = _best_shift(around, labels, 0)
        lifted = _lifted(moved, agreement, agreement, chance)
        return replace(
            whole,
            offset=shift if lifted else None,
            offset_agreement=moved if lifted else None,
        )
    before, after = float(shares[:place].mean()), float(shares[place:].mean())
    if after - chance > FALL * (before - chance):
        return whole
    shift, moved = _best_shift(around, labels, place)
    lifted = _lifted(moved, after, before, chance)
    return replace(
        whole,
        break_row=int(around.rows[place]),
        z_before=_z(before, chance, deviation, place / len(shares)),
        z_after=_z(after, chance, deviation, 1 - place / len(shares)),
        offset=shift if lifted else None,
        offset_agreement=moved if lifted else None,
        agreement_before=before,
        agreement_after=after,
    )


def _z(mean: float, chance: float, deviation: float, share: float) -> float:
    """Return the z of the mean over a share of the texts, from the deviation over all."""
    return (mean - chance) * math.sqrt(share) / deviation


def place_of_break(around: Neighbourhood, labels: np.ndarray) -> int | None:
    """Return the place in ``around.rows`` from which agreement is lower; None without one."""
    own = labels[around.rows]
    return _break(around.agreement(own), own)


def _chance(around: Neighbourhood, own: np.ndarray) -> tuple[float, float, float]:
    """Return mean and deviation of the agreement of permuted labels, and ``balanced_z``."""
    random = np.random.default_rng(0)
    count = max(LEAST_PERMUTATIONS, min(PERMUTATIONS, PERMUTED // len(own)))
    permuted = [random.permutation(own) for _ in range(count)]
    shares = [around.agreement(each) for each in permuted]
    by_chance = [float(each.mean()) for each in shares]
    balanced = [_balanced(each, labels) for each, labels in zip(shares, permuted, strict=True)]
    balanced_z = z_among(_balanced(around.agreement(own), own), balanced)
    return float(np.mean(by_chance)), deviation_of(by_chance), balanced_z


def _balanced(shares: np.ndarray, own: np.ndarray) -> float:
    """Return the mean over the classes of the mean share of each one's texts."""
    counts, sums = np.bincount(own), np.bincount(own, weights=shares)
    return float((sums[counts > 0] / counts[counts > 0]).mean())


def _distinct(case: Case, around: Neighbourhood) -> tuple[np.ndarray, np.ndarray]:
    """Return (n, D) vectors and (n,) class ids of texts that are no copies.

    Of copies the first one counts: they share labels, which permuted ones do not.
    """
    pooled = pooled_of(case)
    assert pooled is not None
    rows = spaced(around.rows, MOST_MEANS)
    if case.duplicates is not None:
        rows = rows[np.unique(case.duplicates.clusters[rows], return_index=True)[1]]
    rows = rows[np.unique(pooled[rows], axis=0, return_index=True)[1]]
    return pooled[rows], case.labels[rows]


def _confused_z(case: Case, vectors: np.ndarray, own: np.ndarray) -> float | None:
    """Return z of the means of the two classes with most errors of the head between them."""
    labels = case.labels[case.validation]
    pairs = confused(labels, case.predicted, len(case.classes), 1)
    if not pairs:
        return None
    chosen = np.isin(own, pairs[0][:2])
    return means_z(vectors[chosen], own[chosen]) if chosen.any() else None


def _confused_between(case: Case, pair: tuple[int, int] | None) -> tuple[int, int] | None:
    """Return the errors between two classes, and texts of either answered with one of them."""
    if pair is None:
        return None
    labels = case.labels[case.validation]
    both = np.isin(labels, pair) & np.isin(case.predicted, pair)
    return int((both & ~case.right).sum()), int(both.sum())


def _break(shares: np.ndarray, own: np.ndarray) -> int | None:
    """Return the position from which agreement is lower than before; None without one.

    Classes differ in how much their neighbours agree. In a file that is sorted by class that
    looks like breaks, so each class is measured against its own mean.
    """
    if len(shares) < 4 * EDGE:
        return None
    counts = np.bincount(own)
    usual = np.bincount(own, weights=shares) / np.maximum(counts, 1)
    rest = shares - usual[own]
    running = np.cumsum(rest)
    scale = max(float(rest.std()), 1e-9) * np.sqrt(len(rest))
    place = int(running[EDGE:-EDGE].argmax()) + EDGE
    return place + 1 if running[place] / scale > BREAK else None


def _rise(shares: np.ndarray, own: np.ndarray, chance: float) -> int | None:
    """Return the position before which agreement is lost, and from which it is not; or None."""
    place = _break(shares[::-1], own[::-1])
    if place is None:
        return None
    rise = len(shares) - place
    lost = shares[:rise].mean() - chance <= FALL * (shares[rise:].mean() - chance)
    return rise if lost else None


def moved_labels(labels: np.ndarray, shift: int, first: int) -> np.ndarray:
    """Return (N,) class ids: from a row on, each text has the label ``shift`` rows further."""
    moved = labels.copy()
    rows = np.arange(first, len(labels))
    moved[rows] = labels[np.clip(rows + shift, 0, len(labels) - 1)]
    return moved


def _best_shift(around: Neighbourhood, labels: np.ndarray, place: int) -> tuple[int, float]:
    """Return by how many rows labels are moved for the best agreement, and that agreement."""
    first = int(around.rows[place]) if place else 0
    found = [
        (
            float(
                around.agreement(moved_labels(labels, shift, first)[around.rows])[place:].mean()
            ),
            shift,
        )
        for shift in SHIFTS
    ]
    best, shift = max(found)
    return shift, best


def _lifted(moved: float, now: float, before: float, chance: float) -> bool:
    """Return whether moving brings agreement from near chance well above it."""
    usual = max(before, moved) - chance
    return moved - chance > 2 * max(now - chance, 0.0) and moved - now > FALL * usual > 0.02
