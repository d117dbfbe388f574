"""Batches: every text once, its own vectors, zeros beyond them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from features.vectors.table import POOLED, FeatureTable
from heads.registry import head_type, make_settings
from heads.training import batches as room
from heads.training.batches import batches, gather, plan
from heads.training.inference import compute_logits
from tests.support.tables import make_table

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=200)


@given(
    lengths=LENGTHS,
    batch_size=st.integers(1, 33),
    seed=st.none() | st.integers(0, 5),
    maximum=st.integers(1, 300),
)
def test_every_text_is_in_exactly_one_batch(
    lengths: list[int], batch_size: int, seed: int | None, maximum: int
) -> None:
    random = None if seed is None else np.random.default_rng(seed)
    parts = plan(np.array(lengths), batch_size, random, maximum)
    assert sorted(np.concatenate(parts)) == list(range(len(lengths)))
    for part in parts:
        assert 1 <= len(part) <= batch_size
        assert len(part) == 1 or len(part) * max(np.array(lengths)[part]) <= maximum


@settings(max_examples=50)
@given(lengths=LENGTHS, batch_size=st.integers(1, 33), data=st.data())
def test_each_text_keeps_its_vectors_and_padding_is_zero(
    lengths: list[int], batch_size: int, data: st.DataObject
) -> None:
    table = make_table(lengths, width=3)
    chosen = data.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, unique=True))
    rows = np.array(chosen, dtype=np.int64)
    seen: list[int] = []
    for positions, batch in batches(table, rows, batch_size, np.random.default_rng(0)):
        assert np.array_equal(rows[positions], batch.rows)
        assert batch.x.dtype == torch.float16
        assert batch.x.shape[:2] == batch.mask.shape
        assert bool(batch.mask.any(dim=0).all()), "a position that no text of the batch has"
        assert not batch.x[~batch.mask].any()
        for row, x, mask in zip(batch.rows, batch.x, batch.mask, strict=True):
            assert np.array_equal(x[mask].numpy(), table.sequence(row))
            assert np.array_equal(np.flatnonzero(mask.numpy()), np.arange(lengths[row]))
            seen.append(int(row))
    assert sorted(seen) == sorted(chosen)


def test_the_order_comes_from_the_seed_alone() -> None:
    lengths = np.random.default_rng(0).integers(1, 50, size=300)

    def order(seed: int) -> list[list[int]]:
        return [part.tolist() for part in plan(lengths, 16, np.random.default_rng(seed))]

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_batches_hold_texts_of_similar_length() -> None:
    lengths = np.random.default_rng(0).integers(1, 200, size=5000)
    parts = plan(lengths, 32, np.random.default_rng(0))
    padded = sum(len(part) * lengths[part].max() for part in parts)
    waste = 1 - lengths.sum() / padded
    print(f"padding among bucketed vectors: {waste:.1%}")
    assert waste < 0.04


def test_without_a_seed_the_order_is_by_length() -> None:
    parts = plan(np.array([5, 1, 4, 2, 3]), 2)
    assert [part.tolist() for part in parts] == [[1, 3], [4, 2], [0]]


def test_texts_that_are_padded_inside_the_head_come_in_smaller_batches() -> None:
    lengths = np.array([3, 1, 2, 9])
    parts = plan(lengths, 4, max_padded=20, min_vectors=9)
    assert [part.tolist() for part in parts] == [[1, 2], [0, 3]]
    flat = make_settings("cnn", {"pooling": "flatten", "max_vectors": 1 << 16, "filters": 1})
    head = head_type("cnn").build(flat, 6, 3)
    assert head.min_vectors == 1 << 16
    sizes: list[int] = []
    head.register_forward_hook(lambda module, given, out: sizes.append(len(out)))
    compute_logits(head, make_table([1, 2, 3, 4, 5]), np.arange(5))
    assert sizes == [2, 2, 1], "2 x 65,536 vectors are as many as may be"


def test_very_long_texts_come_in_smaller_batches() -> None:
    lengths = np.full(8, room.MAX_VECTORS // 2)
    assert [len(part) for part in plan(lengths, 8)] == [2, 2, 2, 2]


def test_a_pooled_table_has_one_position_a_text() -> None:
    values = np.arange(12, dtype=np.float16).reshape(6, 2)
    batch = gather(FeatureTable(values, np.arange(7), POOLED), np.array([4, 0]))
    assert batch.x.tolist() == [[[8.0, 9.0]], [[0.0, 1.0]]]
    assert batch.mask.tolist() == [[True], [True]]


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_the_table_is_left_as_it_was(dtype: str) -> None:
    table = make_table([2, 3], dtype=dtype)
    before = table.values.copy()
    gather(table, np.array([0, 1])).x.fill_(5.0)
    assert np.array_equal(table.values, before)
