"""n-grams and shared runs against plain Python sets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.duplicates import shingles
from features.duplicates.shingles import (
    GRAM,
    RUN,
    WINNOWED,
    gram_matrix,
    letters,
    overlaps,
    rarity,
    shared_runs,
    words,
)


@pytest.mark.parametrize(
    ("text", "plain", "joined"),
    [
        ("[ No response.]", "no response", "noresponse"),
        ("It's 1.5 GB -- e-mail!", "it s 1 5 gb e mail", "its1 5gbemail"),
        ("C++ & C#", "c++ & c#", "c++&c#"),
        ("你好，世界。", "你好 世界", "你好世界"),
        ("?!", "?!", "?!"),
        ("snake_case", "snake case", "snakecase"),
    ],
)
def test_words_and_letters(text: str, plain: str, joined: str) -> None:
    assert words(text) == plain
    assert letters(plain) == joined


def grams(text: str) -> set[str]:
    padded = f" {text} "
    return {padded[i : i + GRAM] for i in range(len(padded) - GRAM + 1)}


TEXTS = st.lists(st.text("ab c", min_size=1, max_size=30), min_size=1, max_size=8)


@given(TEXTS)
def test_as_many_grams_as_a_set_has(texts: list[str]) -> None:
    matrix = gram_matrix(texts)
    assert matrix.shape[0] == len(texts)
    assert np.diff(matrix.indptr).tolist() == [len(grams(text)) for text in texts]


@given(TEXTS, st.integers(1, 40))
def test_overlaps_are_those_of_weighted_sets(texts: list[str], chunk: int) -> None:
    pairs = [(i, j) for i in range(len(texts)) for j in range(len(texts))]
    first, second = np.array(pairs).T
    weights = np.ones(shingles.BUCKETS, np.float32)
    overlap = overlaps(texts, first, second, weights, chunk)
    for index, (i, j) in enumerate(pairs):
        one, other = grams(texts[i]), grams(texts[j])
        shared = len(one & other)
        jaccard = shared / max(1, len(one | other))
        part = shared / max(1, min(len(one), len(other)))
        assert overlap.jaccard[index] == pytest.approx(jaccard, abs=1e-5)
        assert overlap.containment[index] == pytest.approx(part, abs=1e-5)


def test_what_all_texts_share_weighs_little() -> None:
    texts = [f"how do i {name}" for name in ("walk home", "fly away", "swim far", "ride on")]
    weights = rarity(texts)
    common, rare = gram_matrix(["how do"]).indices, gram_matrix(["walk home"]).indices
    assert weights[common].max() < weights[rare].max()
    assert weights[common].min() == pytest.approx(np.log(2))


def test_weights_are_those_by_hand_however_many_texts_are_counted_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = ["walk home", "walk away", "swim far"]
    having = np.asarray(gram_matrix(texts).sum(axis=0)).ravel().astype(np.int64)
    expected = np.log1p(3 / np.maximum(having, 1)).astype(np.float32)
    assert np.array_equal(rarity(texts), expected)
    monkeypatch.setattr(shingles, "_chunks", lambda some: [range(2), range(2, len(some))])
    assert np.array_equal(rarity(texts), expected)


@given(
    st.text("abcdefghij", min_size=RUN + WINNOWED - 1, max_size=40),
    st.text("klmnop", max_size=20),
    st.text("qrstuv", max_size=20),
)
def test_texts_with_a_long_run_in_common_are_paired(run: str, before: str, after: str) -> None:
    first, second = shared_runs([f"{before} {run}", "wxyz " * 9, f"{run} {after}"])
    assert (0, 2) in set(zip(first.tolist(), second.tolist(), strict=True))


def test_texts_without_a_run_in_common_are_not_paired() -> None:
    texts = ["the quick brown fox jumps", "a slow green turtle sleeps well", "nothing else"]
    assert len(shared_runs(texts)[0]) == 0
    assert len(shared_runs(["ab"])[0]) == 0


def test_a_run_that_everybody_has_pairs_hardly_anybody() -> None:
    texts = [f"one very common beginning {chr(0x430 + i) * 12}" for i in range(60)]
    # Of 1,770 pairs; the windows at its end differ, so a few texts choose a run of their own.
    assert len(shared_runs(texts)[0]) < 60
    assert len(shared_runs(texts[:5])[0]) == 10
