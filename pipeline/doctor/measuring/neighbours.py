"""M8: do labels belong to their texts? Neighbours in the vectors should share labels.

Labels are compared with those of the nearest other texts, in all, class by class and by
position in the file. The means of the classes are compared too: they lie apart where a signal
is too weak for neighbours. Chance is what permuted labels give. Where labels have slipped,
moving them back by as many rows makes the neighbours agree again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.doctor.case import Case
from pipeline.doctor.measurements import Neighbours
from pipeline.doctor.measuring.learning import confused
from pipeline.doctor.measuring.pooled import centred, pooled_of
from pipeline.doctor.measuring.vectors import spaced

NEAREST, PERMUTATIONS = 10, 20

MEANS_PERMUTATIONS = 50
"""Of the means of classes, which take milliseconds each."""

MOST_MEANS = 5000
"""Texts whose means are compared, evenly spaced."""

COPY = 0.9999
"""Cosine from which a neighbour is the same text, which tells nothing."""

LEAST_OF_PAIR = 30
"""Texts of a class, with fewer of which its mean says little. Ours."""

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
    permuted = [random.permutation(own) for _ in range(PERMUTATIONS)]
    shares = [around.agreement(each) for each in permuted]
    by_chance = [float(each.mean()) for each in shares]
    balanced = [_balanced(each, labels) for each, labels in zip(shares, permuted, strict=True)]
    balanced_z = _z_among(_balanced(around.agreement(own), own), balanced)
    return float(np.mean(by_chance)), _deviation(by_chance), balanced_z


def _balanced(shares: np.ndarray, own: np.ndarray) -> float:
    """Return the mean over the classes of the mean share of each one's texts."""
    counts, sums = np.bincount(own), np.bincount(own, weights=shares)
    return float((sums[counts > 0] / counts[counts > 0]).mean())


def _deviation(by_chance: Sequence[float]) -> float:
    return max(float(np.std(by_chance, ddof=1)), 1e-4)


def _z_among(value: float, by_chance: Sequence[float]) -> float:
    return (value - float(np.mean(by_chance))) / _deviation(by_chance)


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


def means_z(vectors: np.ndarray, own: np.ndarray) -> float | None:
    """Return z of the spread of the classes' means, against permuted labels.

    Args:
        vectors: (n, D), unequal; every feature is scaled to deviation 1.
        own: (n,) class ids.
    """
    _, ids = np.unique(own, return_inverse=True)
    counts = np.bincount(ids)
    if len(counts) < 2:
        return None
    moved = vectors - vectors.mean(axis=0)
    scaled = moved / np.maximum(moved.std(axis=0), 1e-6)

    def spread(labels: np.ndarray) -> float:
        """Return the squares of the means, each as often as its class has texts."""
        members = np.zeros((len(counts), len(labels)), np.float32)
        members[labels, np.arange(len(labels))] = 1.0
        return float((((members @ scaled) ** 2).sum(axis=1) / counts).sum())

    random = np.random.default_rng(0)
    by_chance = [spread(random.permutation(ids)) for _ in range(MEANS_PERMUTATIONS)]
    return _z_among(spread(ids), by_chance)


def closest_classes(vectors: np.ndarray, own: np.ndarray) -> dict[str, Any]:
    """Return ``closest``, ``closest_z`` and ``usual_z`` of ``Neighbours``; {} without pairs.

    Args:
        vectors: (n, D), unequal.
        own: (n,) class ids.
    """
    counts = np.bincount(own)
    large = np.flatnonzero(counts >= LEAST_OF_PAIR)
    if len(large) < 3:
        return {}
    deviation = np.maximum(vectors.std(axis=0), 1e-6)
    means = np.stack([vectors[own == label].mean(axis=0) / deviation for label in large])
    apart = ((means[:, None] - means[None]) ** 2).sum(axis=2)
    # What chance alone makes of a distance falls with the texts of the two classes.
    apart *= 1 / (1 / counts[large][:, None] + 1 / counts[large][None])
    first, second = np.triu_indices(len(large), 1)
    order = np.argsort(apart[first, second], kind="stable")

    def z(place: int) -> float | None:
        pair = large[[first[order[place]], second[order[place]]]]
        chosen = np.isin(own, pair)
        return means_z(vectors[chosen], own[chosen])

    one, other = large[[first[order[0]], second[order[0]]]].tolist()
    both = np.isin(own, (one, other))
    return {
        "closest": (one, other),
        "closest_z": z(0),
        "usual_z": z(len(order) // 2),
        "closest_left_out": (left_out_errors(vectors[both], own[both] == one), int(both.sum())),
    }


def left_out_errors(vectors: np.ndarray, first: np.ndarray) -> int:
    """Return how many texts of two classes a ridge regression of all others gets wrong.

    The residual of a text that is left out is its own over 1 minus its leverage (Allen, 1974:
    PRESS), so one decomposition does for all. The penalty is the mean square of a text.

    Args:
        vectors: (n, D), unequal.
        first: (n,) bool: of the first class.
    """
    moved = vectors.astype(np.float64) - vectors.mean(axis=0)
    scaled = moved / np.maximum(moved.std(axis=0), 1e-6)
    penalty = max(float((scaled**2).sum()) / len(scaled), 1e-6)
    constant = np.full((len(scaled), 1), math.sqrt(penalty))
    left, sizes, _ = np.linalg.svd(np.hstack([scaled, constant]), full_matrices=False)
    kept = sizes**2 / (sizes**2 + penalty)
    target = np.where(first, 1.0, -1.0)
    fitted, leverage = left @ (kept * (left.T @ target)), (left**2) @ kept
    guessed = target - (target - fitted) / (1 - leverage)
    return int((guessed * target <= 0).sum())


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
