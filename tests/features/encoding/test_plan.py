"""The pure parts of stage 1: keys, specs, layers, batches, windows, pooling."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from features.encoders.batching import token_budget_batches
from features.encoders.pooling import POOLINGS
from features.errors import CorpusError, SettingError
from features.machine.hardware import flags_in
from features.text.keys import text_key, text_keys
from features.vectors.ragged import slices_by_size
from features.vectors.spec import FeatureSpec, check_layers, parse_layers
from tests.support.transformers import spec


def test_a_key_is_the_hash_of_the_exact_bytes() -> None:
    assert text_key("né") == hashlib.blake2b("né".encode(), digest_size=16).digest()
    assert text_key("né") != text_key("ne\u0301")
    assert text_key("a") != text_key("a ")


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(CorpusError, match="a lone surrogate at character 3 of the text"):
        text_key("ab\ud83d")


def test_keys_with_trailing_zero_bytes_stay_apart_from_others() -> None:
    # S16 drops trailing zero bytes when it shows a value; comparisons must still be exact.
    found = next(text for text in map(str, range(10_000)) if text_key(text)[-1] == 0)
    keys = text_keys([found, "other"])
    assert keys[0].ljust(16, b"\0") == text_key(found)
    assert keys.itemsize == 16


def test_fingerprint_is_the_hash_of_canonical_json_and_every_field_changes_it() -> None:
    base = spec()
    assert base.fingerprint == hashlib.sha256(base.to_json().encode()).hexdigest()[:24]
    changes = {
        "weights": "x",
        "tokenizer": "x",
        "layout": "tokens",
        "layers": (0,),
        "pooling": "cls",
        "normalize": True,
        "prompt": "query: ",
        "max_length": 9,
        "width": 5,
        "dtype": "float32",
        "precision": "bfloat16",
        "format": 99,
    }
    assert set(changes) == set(json.loads(base.to_json()))
    prints = {spec(**{name: value}).fingerprint for name, value in changes.items()}
    assert len(prints | {base.fingerprint}) == len(changes) + 1
    assert FeatureSpec.from_dict(json.loads(base.to_json())) == base


def test_spec_of_another_version_is_refused() -> None:
    values = json.loads(spec().to_json())
    with pytest.raises(SettingError, match=r"windowing.*encode again"):
        FeatureSpec.from_dict({**values, "windowing": 1})


def test_layers_count_from_either_end() -> None:
    assert parse_layers("3,-1", 6) == (3, 6)
    assert parse_layers(None, 6) is None
    assert check_layers((0,), 6) == (0,)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("7", "layer 7 does not exist.*0 .embeddings. to 6"),
        ("-8", "layer -8 does not exist"),
        ("two", "whole numbers.*'two'"),
        ("6,-1", "named twice"),
    ],
)
def test_layers_that_do_not_exist(layers: str, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        parse_layers(layers, 6)


@given(st.lists(st.integers(1, 300), max_size=60), st.integers(1, 500))
def test_batches_hold_every_text_once_within_the_budget(
    lengths: list[int], budget: int
) -> None:
    sizes = np.array(lengths, dtype=np.int64)
    batches = token_budget_batches(sizes, budget)
    flat = [int(i) for batch in batches for i in batch]
    assert sorted(flat) == list(range(len(lengths)))
    assert [lengths[i] for i in flat] == sorted(lengths, reverse=True)
    for batch in batches:
        assert len(batch) == 1 or sizes[batch].max() * len(batch) <= budget


@given(st.lists(st.integers(0, 50), max_size=40), st.integers(1, 9), st.integers(1, 99))
def test_windows_are_neighbours_without_gaps(sizes: list[int], texts: int, size: int) -> None:
    cuts = slices_by_size(np.array(sizes, dtype=np.int64), texts, size)
    assert [i for cut in cuts for i in range(cut.start, cut.stop)] == list(range(len(sizes)))
    for cut in cuts:
        assert 0 < cut.stop - cut.start <= texts
        assert cut.stop - cut.start == 1 or sum(sizes[cut]) <= size


@given(st.lists(st.integers(1, 50), min_size=2, max_size=40), st.data())
def test_windows_of_a_rest_are_the_windows_that_were_left(
    sizes: list[int], data: st.DataObject
) -> None:
    """A resumed run cuts the batches that the killed one would have: same vectors."""
    cuts = slices_by_size(np.array(sizes), 5, 80)
    done = data.draw(st.integers(0, len(cuts) - 1))
    start = cuts[done].start
    rest = slices_by_size(np.array(sizes[start:]), 5, 80)
    assert [(c.start + start, c.stop + start) for c in rest] == [
        (c.start, c.stop) for c in cuts[done:]
    ]


def test_poolings_by_hand_on_either_padding() -> None:
    # Hidden states equal the token's position, so every answer is plain arithmetic.
    hidden = torch.tensor([[[1.0], [2.0], [3.0], [9.0]], [[9.0], [9.0], [5.0], [7.0]]])
    mask = torch.tensor([[True, True, True, False], [False, False, True, True]])
    cls = torch.tensor([[True, False, False, True], [False, False, False, True]])
    expected = {"mean": [2.0, 6.0], "cls": [1.0, 7.0], "max": [3.0, 7.0], "last": [3.0, 7.0]}
    assert set(expected) == set(POOLINGS)
    for name, values in expected.items():
        assert POOLINGS[name](hidden, mask, cls).squeeze(1).tolist() == values, name


def test_processor_flags_of_both_kinds() -> None:
    assert "amx_bf16" in flags_in("model\t: 1\nflags\t\t: fpu amx_bf16 sse\n")
    assert "bf16" in flags_in("Features\t: fp asimd bf16\n")
    assert flags_in("nothing here") == frozenset()
