"""The distinct n-grams of a table, and where each stands."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from features.words.counting import count_words
from features.words.vocabulary import encode


@pytest.mark.parametrize("count", [0, 1, 20_000])
def test_the_vocabulary_is_that_of_numpy(count: int) -> None:
    ids = np.random.default_rng(count).integers(0, 5_000, count).astype(np.uint32)
    ids *= np.uint32(800_000)  # up to 32 bits
    for some in (ids, ids[::3]):
        distinct, places = encode(some)
        expected, inverse = np.unique(some, return_inverse=True)
        assert np.array_equal(distinct, expected)
        assert np.array_equal(places, inverse)
        assert (distinct.dtype, places.dtype) == (np.uint32, np.int32)


def test_it_belongs_to_the_texts_of_the_table() -> None:
    table = count_words(["a cat", "a dog", ""])
    distinct, places = table.vocabulary
    assert np.array_equal(distinct[places], table.ids)
    assert np.array_equal(table[[1]].vocabulary[0], np.unique(table[[1]].ids))


def test_it_imports_no_pandas() -> None:
    code = (
        "import sys, numpy; from features.words.vocabulary import encode\n"
        "encode(numpy.arange(9, dtype=numpy.uint32))\n"
        "assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
