"""The places of n-grams are those of the n-grams that are counted."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from features.words.counting import count_words
from features.words.places import find_places

TEXTS = [
    "What a day, what a DAY!",
    "",
    " x ",
    "İstanbul'da ΣΑΣ ẞ ends",
    "我爱你 ok 日本",
    "two\n\tlines  and 7 7 _a_ 👍🏽",
]


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_counted_stands_somewhere(text: str) -> None:
    table, places = count_words([text]), find_places(text)
    counted = dict(zip(table.ids.tolist(), table.counts.tolist(), strict=True))
    assert Counter(places.ids.tolist()) == counted


@pytest.mark.parametrize("text", TEXTS)
def test_weights_are_shared_among_the_letters_and_none_is_lost(text: str) -> None:
    places = find_places(text)
    weights = np.random.default_rng(0).normal(size=len(places.ids))
    letters = places.shared(weights, len(text))
    assert letters.shape == (len(text),)
    assert letters.sum() == pytest.approx(weights.sum())
    assert all(letters[i] == 0 for i, letter in enumerate(text) if letter.isspace())


def test_a_word_has_its_own_n_grams_alone() -> None:
    places = find_places("ab cd")
    ids = set(count_words(["ab"]).ids.tolist())
    letters = places.shared(np.isin(places.ids, list(ids)).astype(float), 5)
    assert letters[:2].sum() == pytest.approx(letters.sum())
    assert letters[0] > 0
