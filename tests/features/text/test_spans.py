"""Words stand where they are said to, in every script."""

from __future__ import annotations

import doctest

import pytest

from features.text import spans
from features.text.spans import at_most, merged_spans, word_spans


def test_examples() -> None:
    assert doctest.testmod(spans).failed == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("  \n ", []),
        (" I'm  here. ", ["I'm", "here."]),
        ("我爱你ok吗 yes", ["我", "爱", "你", "ok", "吗", "yes"]),
        ("a\u3000b\u00a0c", ["a", "b", "c"]),
        ("👍🏽 ok", ["👍🏽", "ok"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert [text[start:end] for start, end in word_spans(text)] == words


def test_spans_that_one_token_covers_are_one() -> None:
    words = word_spans("我爱你吗 yes")
    assert merged_spans(words, [(0, 1), (1, 4), (5, 6), (6, 8)]) == [(0, 1), (1, 4), (5, 8)]
    assert merged_spans(words, []) == words
    assert merged_spans(words, [(0, 8)]) == [(0, 8)]


def test_spans_are_joined_evenly() -> None:
    words = word_spans("a b c d e f g")
    assert at_most(words, 3) == [(0, 5), (6, 11), (12, 13)]
    assert at_most(words, 7) == words
    assert at_most(words, 1) == [(0, 13)]
