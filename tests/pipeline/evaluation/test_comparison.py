"""Two answers to the same texts: paired, and beyond noise or not."""

from __future__ import annotations

import numpy as np

from pipeline.evaluation.comparison import compare


def right(*counts: tuple[int, bool]) -> np.ndarray:
    return np.concatenate([np.full(count, value) for count, value in counts])


def test_a_difference_is_judged_by_the_texts_on_which_they_differ() -> None:
    # 60 against 50 of 100, once on ten texts that one alone gets right, once on 50 that differ.
    clear = compare(right((60, True), (40, False)), right((50, True), (50, False)))
    assert clear.difference == 0.1
    assert clear.better
    assert not clear.worse
    assert 0 < clear.interval[0] < 0.1 < clear.interval[1]
    mixed = compare(right((60, True), (40, False)), right((20, False), (50, True), (30, False)))
    assert mixed.difference == 0.1
    assert not mixed.beyond_noise
    assert not mixed.better


def test_the_order_turns_the_verdict_around() -> None:
    one, other = right((60, True), (40, False)), right((40, True), (60, False))
    assert compare(one, other).better
    assert compare(other, one).worse


def test_equal_answers_are_no_difference() -> None:
    one = right((3, True), (4, False))
    found = compare(one, one)
    assert (found.difference, found.interval, found.beyond_noise) == (0.0, (0.0, 0.0), False)
