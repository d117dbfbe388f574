"""K folds: each row once, units whole, classes even."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import SettingError, SplitError
from features.splits.folds import make_folds

ROWS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 30), st.integers(0, 20)),
    min_size=1,
    max_size=60,
)


@given(ROWS, st.integers(2, 5), st.integers(0, 3))
def test_units_are_never_parted(
    rows: list[tuple[str, int, int]], folds: int, seed: int
) -> None:
    labels, texts = [row[0] for row in rows], [f"text {row[1]}" for row in rows]
    groups = [row[2] for row in rows]
    try:
        fold = make_folds(labels, texts, folds, groups, seed)
    except SplitError:
        return
    assert set(fold.tolist()) == set(range(folds))
    for key in (texts, groups):
        assert len(set(zip(key, fold.tolist(), strict=True))) == len(set(key))


def test_single_rows_are_spread_to_within_one_row_a_class() -> None:
    labels = ["a"] * 23 + ["b"] * 11 + ["c"] * 2
    fold = make_folds(labels, [f"t{i}" for i in range(36)], 5, seed=3)
    for name in "ab":
        counts = Counter(
            f for f, label in zip(fold.tolist(), labels, strict=True) if label == name
        )
        assert max(counts.values()) - min(counts.values()) <= 1
    assert np.bincount(fold).max() - np.bincount(fold).min() <= 2


def test_the_same_seed_gives_the_same_folds() -> None:
    labels, texts = ["a", "b"] * 20, [f"t{i}" for i in range(40)]
    first = make_folds(labels, texts, 4, seed=1)
    assert np.array_equal(first, make_folds(labels, texts, 4, seed=1))
    assert not np.array_equal(first, make_folds(labels, texts, 4, seed=2))


def test_what_cannot_be_folded_says_why() -> None:
    with pytest.raises(SettingError, match="got 1, 0"):
        make_folds(["a", "b"], ["x", "y"], 1)
    with pytest.raises(SplitError, match="2 units"):
        make_folds(["a", "b", "a"], ["x", "y", " X"], 3)
