"""Cross-validation folds: stratified, with duplicates and groups in one fold."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from features.errors import SettingError, SplitError
from features.groups import ids_of, majority, union
from features.text.keys import normalize_text
from features.text.missing import ids_of_groups


def make_folds(
    labels: Sequence[str],
    texts: Sequence[str],
    folds: int,
    groups: Sequence[Hashable] | np.ndarray | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Return (N,) int64: the fold, 0 to ``folds`` - 1, in which each row is held out.

    Rows with the same normalized text and rows of one group form a unit and share a fold.
    Units are assigned from the largest to the smallest, each to the fold with the fewest rows
    of its class, then with the fewest rows in total; ties are drawn. So a class with fewer
    units than folds is missing from some folds, and if every unit is one row, the folds
    differ by at most one row per class.

    Args:
        labels: N labels.
        texts: N texts.
        folds: number of folds, 2 or more.
        groups: N group ids, such as clusters of near-duplicates; a row with a missing id
            belongs to no group.
        seed: seed of the ties, 0 or more.

    Raises:
        SettingError: fewer than 2 folds, or a negative seed.
        SplitError: fewer units than folds.
    """
    if folds < 2 or seed < 0:
        raise SettingError(
            f"folds must be 2 or more and the seed 0 or more; got {folds}, {seed}"
        )
    units = ids_of(map(normalize_text, texts))
    if groups is not None:
        units = union(units, ids_of_groups(groups))
    count = int(units.max(initial=-1)) + 1
    if count < folds:
        raise SplitError(
            f"{len(texts):,} rows make {count:,} units that must not be parted, fewer than "
            f"{folds} folds; take fewer folds, or add rows"
        )
    classes = ids_of(labels)
    fold_of = _assign_folds(np.bincount(units), majority(units, classes), folds, seed)
    chosen: np.ndarray = fold_of[units]
    return chosen


def _assign_folds(sizes: np.ndarray, strata: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Return the (U,) int64 fold of each unit, given (U,) row counts and (U,) classes."""
    rng = np.random.default_rng(seed)
    counts = np.zeros((int(strata.max()) + 1, folds), np.int64)
    fold_of = np.empty(len(sizes), np.int64)
    # Large units first, so that the small ones can even out the folds.
    for unit in np.lexsort((rng.random(len(sizes)), -sizes)).tolist():
        of_class, total = counts[strata[unit]], counts.sum(axis=0)
        fold = int(np.lexsort((rng.random(folds), total, of_class))[0])
        counts[strata[unit], fold] += sizes[unit]
        fold_of[unit] = fold
    return fold_of
