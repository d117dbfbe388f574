"""Tables beside each other, and the layouts that name them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.errors import ArrayError, SettingError
from features.estimator import FeatureEncoder
from features.tables import FeatureTables, as_tables, join_layout, parse_layout
from features.words.counting import count_words
from features.words.table import WordTable
from tests.support.tables import make_table


@pytest.mark.parametrize(
    ("layout", "parts"),
    [
        ("pooled", ("pooled", False)),
        ("words", (None, True)),
        ("tokens, words", ("tokens", True)),
        ("words,tokens", ("tokens", True)),
    ],
)
def test_layout(layout: str, parts: tuple[str | None, bool]) -> None:
    assert parse_layout(layout) == parts
    assert parse_layout(join_layout(*parts)) == parts


@pytest.mark.parametrize("layout", ["pooled,tokens", "words,words", "pooled,,words"])
def test_layouts_that_will_not_do(layout: str) -> None:
    with pytest.raises(SettingError, match="one layout of vectors, words, or both"):
        parse_layout(layout)


def test_tables_of_the_same_texts() -> None:
    vectors, words = make_table([2, 1, 3]), count_words(["a b", "b", "c d e"])
    tables = FeatureTables((vectors, words))
    assert (tables.layout, tables.width, len(tables)) == ("tokens,words", 6, 3)
    some = tables[np.array([2, 0])]
    assert some.vectors is not None
    assert some.words is not None
    assert some.vectors.lengths.tolist() == [3, 2]
    assert len(some.words) == 2
    assert as_tables(words).vectors is None
    assert as_tables(tables) is tables


def test_tables_that_do_not_belong_together() -> None:
    with pytest.raises(ArrayError, match="the same texts"):
        FeatureTables((make_table([2, 1]), count_words(["a"])))
    pooled = replace(make_table([1, 1]), layout="pooled")
    with pytest.raises(ArrayError, match="a table per encoder"):
        FeatureTables((make_table([2, 1]), pooled))


def test_vectors_of_several_encoders() -> None:
    tables = FeatureTables((make_table([2, 1]), make_table([1, 3], width=4), count_words("ab")))
    assert (tables.layout, tables.width) == ("tokens,words", 6)
    assert [each.width for each in tables[np.array([1])].encoders] == [6, 4]


def test_the_transformer_counts_words_without_an_encoder() -> None:
    encoder = FeatureEncoder("/no/such/encoder", layout="words")
    found, expected = encoder.transform(["a b", "c"]), count_words(["a b", "c"])
    assert isinstance(found, WordTable)
    assert np.array_equal(found.ids, expected.ids)
