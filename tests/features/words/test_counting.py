"""Counting n-grams: against scikit-learn's counts, and the same wherever the parts are cut."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from features.words.counting import count_words
from features.words.table import WORD_BIT, WordTable

TEXTS = [
    "The cat sat on the mat, the cat!",
    "",
    "  a\tb\n c  ",
    "60年铁树开花形状似玉米芯(组图)",
    "Éclair_2 isn't naïve; é",
    "aaaaaaaa aaaaaaaa",
    "the cat sat on the mat, the cat!",
]


PINNED = {
    120158630: 2,
    456807428: 2,
    525280516: 2,
    530545041: 2,
    698072529: 2,
    715684310: 2,
    1215716466: 2,
    1226594065: 2,
    2536909595: 1,  # the pair of words
    4101967906: 2,  # the word
}


def entries(table: WordTable, row: int) -> dict[int, int]:
    chosen = slice(table.offsets[row], table.offsets[row + 1])
    pairs = zip(table.ids[chosen].tolist(), table.counts[chosen].tolist(), strict=True)
    return dict(pairs)


def test_counts_are_those_of_scikit_learn() -> None:
    table = count_words(TEXTS)
    words = CountVectorizer(ngram_range=(1, 2)).fit_transform(TEXTS).toarray()
    letters = CountVectorizer(analyzer="char_wb", ngram_range=(1, 5)).fit(TEXTS)
    blank = letters.vocabulary_[" "]
    expected = np.delete(letters.transform(TEXTS).toarray(), blank, axis=1)
    for row in range(len(TEXTS)):
        own = entries(table, row)
        found = sorted(count for key, count in own.items() if key >= WORD_BIT)
        assert found == sorted(words[row][words[row] > 0].tolist())
        found = sorted(count for key, count in own.items() if key < WORD_BIT)
        assert found == sorted(expected[row][expected[row] > 0].tolist())


def test_case_and_spacing_do_not_count() -> None:
    table = count_words(TEXTS)
    assert entries(table, 0) == entries(table, 6)
    assert entries(table, 1) == {}


@pytest.mark.parametrize("size", [1, 20, 45])
def test_parts_change_nothing(size: int) -> None:
    whole = count_words(TEXTS)
    cut = count_words(iter(TEXTS), letters=size)
    for name in ("ids", "counts", "offsets"):
        assert np.array_equal(getattr(whole, name), getattr(cut, name))


def test_hashes_never_change() -> None:
    """Models on disk hold these ids."""
    assert entries(count_words(["ab ab"]), 0) == PINNED


def test_rows_of_a_table() -> None:
    table = count_words(TEXTS)
    some = table[np.array([5, 1, 0])]
    assert [entries(some, row) for row in range(3)] == [
        entries(table, row) for row in (5, 1, 0)
    ]
    assert len(count_words([])) == 0
