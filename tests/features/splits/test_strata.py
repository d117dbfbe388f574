"""Units and draws against slow oracles."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.groups import ids_of, majority, union
from features.splits.strata import draw


def test_ids_follow_first_appearance() -> None:
    assert ids_of("banana").tolist() == [0, 1, 2, 1, 2, 1]
    assert ids_of([]).dtype == np.int64


pairs = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=40)


@given(pairs)
def test_joined_units_are_the_connected_components(rows: list[tuple[int, int]]) -> None:
    first, second = (ids_of(column) for column in zip(*rows, strict=True))
    units = union(first, second)
    # Oracle: spread the smallest row number over equal ids until nothing changes.
    labels = np.arange(len(rows))
    for _ in rows:
        for ids in (first, second):
            labels = np.array([labels[ids == ids[i]].min() for i in range(len(rows))])
    assert units.tolist() == ids_of(labels.tolist()).tolist()


@given(pairs)
def test_majority_against_counting(rows: list[tuple[int, int]]) -> None:
    units, classes = ids_of(unit for unit, _ in rows), np.array([c for _, c in rows])
    found = majority(units, classes)
    for unit in range(units.max() + 1):
        counts = Counter(classes[units == unit].tolist())
        assert found[unit] == min(counts, key=lambda label: (-counts[label], label))


def test_a_draw_by_hand() -> None:
    # 20 rows of class 0 in singles, 20 of class 2 in pairs; a quarter is 5 of each.
    sizes = np.array([1] * 20 + [2] * 10)
    strata = np.array([0] * 20 + [2] * 10)
    drawn = draw(sizes, strata, 0.25, 1, np.random.default_rng(0))
    assert np.sum(drawn < 20) == 5
    assert np.sum(sizes[drawn[drawn >= 20]]) == 4  # 6 would be as near: the smaller is kept
    assert len(set(drawn.tolist())) == len(drawn)


def test_a_large_unit_is_taken_where_that_comes_nearer() -> None:
    # The target is 5 rows: two units of 2 leave 1 row, a third would overshoot by 1.
    # With units of 4, one is 1 short; with units of 9, one is 4 over and none is 5 short.
    for size, expected in ((2, 4), (4, 4), (9, 9)):
        sizes = np.full(40 if size == 2 else 20 if size == 4 else 9, size)
        share = 5 / sizes.sum()
        drawn = draw(sizes, np.zeros(len(sizes), np.int64), share, 1, np.random.default_rng(1))
        assert sizes[drawn].sum() == expected


def test_the_smallest_unit_is_taken_where_none_fits() -> None:
    sizes = np.array([20, 20, 6, 20])
    drawn = draw(sizes, np.zeros(4, np.int64), 5 / 66, 1, np.random.default_rng(0))
    assert drawn.tolist() == [2]


@pytest.mark.parametrize("leave", [1, 2])
def test_some_units_always_stay(leave: int) -> None:
    sizes, strata = np.ones(8, np.int64), np.repeat([0, 1], [3, 5])
    drawn = draw(sizes, strata, 0.999, leave, np.random.default_rng(0))
    assert np.bincount(strata[drawn]).tolist() == [3 - leave, 5 - leave]
    sizes[:] = 4
    drawn = draw(sizes, strata, 0.999, leave, np.random.default_rng(0))
    assert np.bincount(strata[drawn]).tolist() == [3 - leave, 5 - leave]


def test_every_unit_is_drawn_about_equally_often() -> None:
    sizes, strata = np.ones(20, np.int64), np.repeat([0, 1], 10)
    times = np.zeros(20)
    for seed in range(600):
        times[draw(sizes, strata, 0.3, 1, np.random.default_rng(seed))] += 1
    # 180 draws of each expected, standard deviation 11.2; five of them to either side.
    assert times.sum() == 600 * 6
    assert np.all(np.abs(times - 180) < 56)


@given(
    st.lists(st.integers(1, 9), min_size=4, max_size=60),
    st.floats(0.05, 0.5),
    st.integers(0, 99),
)
def test_a_draw_is_within_one_unit_of_its_share(
    sizes: list[int], share: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    drawn = draw(np.array(sizes), np.zeros(len(sizes), np.int64), share, 1, rng)
    target = max(1, round(share * sum(sizes)))
    off = abs(sum(sizes[i] for i in drawn.tolist()) - target)
    assert off < max(sizes)
    assert 1 <= len(drawn) < len(sizes)
