"""M8: do labels belong to their texts? Neighbours in the vectors should share labels.

Labels are compared with those of the nearest other texts, in all and by position in the file.
Chance is what permuted labels give. Where labels have slipped, moving them back by as many rows
makes the neighbours agree again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from pipeline.doctor.case import Case
from pipeline.doctor.measurements import Neighbours
from pipeline.doctor.measuring.pooled import centred, pooled_of
from pipeline.doctor.measuring.vectors import spaced

NEAREST, PERMUTATIONS = 10, 20

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
    if found.break_row is None or case.corpus is None:
        return found
    return replace(found, break_row=case.corpus.rows[found.break_row])


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
    chance, deviation = _chance(around, own)
    agreement = float(shares.mean())
    z = (agreement - chance) / deviation
    place = _break(shares, own)
    if place is None:
        shift, moved = _best_shift(around, labels, 0)
        lifted = _lifted(moved, agreement, agreement, chance)
        return Neighbours(
            agreement,
            chance,
            z,
            offset=shift if lifted else None,
            offset_agreement=moved if lifted else None,
        )
    before, after = float(shares[:place].mean()), float(shares[place:].mean())
    if after - chance > FALL * (before - chance):
        return Neighbours(agreement, chance, z)
    shift, moved = _best_shift(around, labels, place)
    lifted = _lifted(moved, after, before, chance)
    return Neighbours(
        agreement,
        chance,
        z,
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


def _chance(around: Neighbourhood, own: np.ndarray) -> tuple[float, float]:
    """Return mean and deviation of the agreement of permuted labels."""
    random = np.random.default_rng(0)
    by_chance = [
        float(around.agreement(random.permutation(own)).mean()) for _ in range(PERMUTATIONS)
    ]
    return float(np.mean(by_chance)), max(float(np.std(by_chance, ddof=1)), 1e-4)


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
