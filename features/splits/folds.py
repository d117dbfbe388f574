"""K folds: every row is held out once; stratified, and copies and groups stay together."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from features.errors import SettingError, SplitError
from features.groups import ids_of, majority, union
from features.missing import ids_of_groups
from features.text import normalize_text


def make_folds(
    labels: Sequence[str],
    texts: Sequence[str],
    folds: int,
    groups: Sequence[Hashable] | np.ndarray | None = None,
    seed: int = 0,
) -> np.ndarray:
    """(N,) int64: the fold, 0 to ``folds`` - 1, in which each row is held out.

    Rows with the same folded text, and rows of one group, share a fold. Class by class the
    largest units go first, each to the fold with the fewest rows of its class, then with the
    fewest rows of all; ties are drawn. So a class with fewer units than folds is missing
    from some folds, and a corpus of single rows is spread to within one row a class.

    Args:
        labels: N labels.
        texts: N texts.
        folds: 2 or more.
        groups: N group ids, such as clusters of near-copies; a missing one is its own.
        seed: of the ties, 0 or more.

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
    fold_of = _assigned(np.bincount(units), majority(units, classes), folds, seed)
    chosen: np.ndarray = fold_of[units]
    return chosen


def _assigned(sizes: np.ndarray, strata: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """(U,) int64 folds of units with so many rows and of such classes."""
    rng = np.random.default_rng(seed)
    held = np.zeros((int(strata.max()) + 1, folds), np.int64)
    fold_of = np.empty(len(sizes), np.int64)
    # Large units first, or nothing would be left to even them out.
    for unit in np.lexsort((rng.random(len(sizes)), -sizes)).tolist():
        own, whole = held[strata[unit]], held.sum(axis=0)
        fold = int(np.lexsort((rng.random(folds), whole, own))[0])
        held[strata[unit], fold] += sizes[unit]
        fold_of[unit] = fold
    return fold_of
