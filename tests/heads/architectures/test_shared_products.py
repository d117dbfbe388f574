"""Members that share products and drop features late give what each gives by itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from features.vectors.table import FeatureTable
from heads.architectures.attention import AttentionHead
from heads.architectures.ensemble import Ensemble
from heads.architectures.meanmax import MeanMaxHead
from heads.head import SequenceHead
from heads.layers.masking import mask_to_minus_inf, mean_and_maximum, mean_of
from heads.layers.standardize import Standardize
from heads.registry import head_type, make_settings
from heads.training.batches import gather
from tests.support.tables import WIDTH, make_table

LENGTHS = [1, 9, 2, 12, 5]
LONG = {"values": 0, "queries": 3, "dense": (8,), "dropout": 0.0, "input_dropout": 0.4}


def build(name: str, **overrides: object) -> SequenceHead:
    torch.manual_seed(0)
    head = head_type(name).build(make_settings(name, overrides), WIDTH, 4)
    assert isinstance(head, SequenceHead)
    head.inputs.center.copy_(torch.randn(WIDTH))
    head.inputs.scale.copy_(torch.rand(WIDTH) + 0.5)
    return head.train()


def pool_apart(head: MeanMaxHead, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return logits of ``meanmax`` as its description has them: drop, then pool."""
    highest = mask_to_minus_inf(x, mask[:, :, None]).amax(dim=1)
    pooled = torch.cat([mean_of(x, mask), highest], dim=1)
    logits: torch.Tensor = head.output(head.dense(head.dropout(pooled)))
    return logits


def logits_apart(head: SequenceHead, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return (M, B, C) logits, each member by itself over vectors without some features."""
    inputs = head.inputs(x, mask)
    members = head.member_heads()
    found = []
    for member in members:
        assert isinstance(member, SequenceHead)
        kept = member.drop_inputs(inputs)
        apart = isinstance(member, MeanMaxHead)
        found.append(pool_apart(member, kept, mask) if apart else member.classify(kept, mask))
    return torch.stack(found)


def slopes(head: SequenceHead, logits: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the gradient of each weight, zeros where there is none."""
    head.zero_grad()
    (logits * torch.arange(1.0, logits.numel() + 1).view_as(logits).sin()).sum().backward()
    weights = head.named_parameters()
    return {
        name: torch.zeros_like(each) if each.grad is None else each.grad.clone()
        for name, each in weights
    }


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("attention", {**LONG, "members": 3}),
        ("attention", {**LONG, "members": 1, "dropout": 0.5}),
        ("attention", {**LONG, "members": 2, "beside": "both"}),
        ("attention", {**LONG, "members": 2, "combine": "mean", "beside": "max"}),
        ("meanmax", {"members": 3, "input_dropout": 0.4, "dense": (8,)}),
        ("meanmax", {"members": 1, "input_dropout": 0.0}),
    ],
)
@pytest.mark.parametrize("lengths", [LENGTHS, [7], [4] * 6])
def test_logits_and_gradients_are_those_of_each_member_alone(
    name: str, more: dict[str, object], lengths: Sequence[int]
) -> None:
    head = build(name, **more)
    batch = gather(make_table(list(lengths)), np.arange(len(lengths))[::-1])
    torch.manual_seed(1)
    expected = logits_apart(head, batch.x, batch.mask)
    steep = slopes(head, expected)
    torch.manual_seed(1)
    found = head.member_logits(batch.x, batch.mask)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    for key, value in slopes(head, found).items():
        torch.testing.assert_close(value, steep[key], rtol=1e-3, atol=1e-4, msg=key)


def test_queries_of_all_members_are_one_product(monkeypatch: pytest.MonkeyPatch) -> None:
    head = build("attention", **LONG, members=3)
    assert isinstance(head, Ensemble)
    monkeypatch.setattr(AttentionHead, "classify", None)
    batch = gather(make_table(LENGTHS), np.arange(5))
    assert head.member_logits(batch.x, batch.mask).shape == (3, 5, 4)
    with pytest.raises(TypeError):  # texts of no more vectors than queries: each by itself
        head.member_logits(batch.x[:, :3], batch.mask[:, :3])


@pytest.mark.parametrize("name", ["attention", "meanmax"])
def test_vectors_beyond_the_maximum_and_padding_count_for_nothing(name: str) -> None:
    more = {**LONG, "input_dropout": 0.0} if name == "attention" else {"input_dropout": 0.0}
    head = build(name, **{**more, "dropout": 0.0, "members": 2, "max_vectors": 5})
    table = make_table(LENGTHS)
    batch = gather(table, np.arange(5), 5)
    expected = head.member_logits(batch.x, batch.mask)
    whole = gather(table, np.arange(5))
    whole.x[~whole.mask] = 1e4
    found = head.member_logits(whole.x, whole.mask)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["attention", "meanmax"])
def test_in_bfloat16_they_differ_by_rounding_alone(name: str) -> None:
    more = LONG if name == "attention" else {"dropout": 0.0, "input_dropout": 0.4}
    head = build(name, **{**more, "members": 2})
    batch = gather(make_table(LENGTHS), np.arange(5))
    found = []
    for logits_of in (logits_apart, type(head).member_logits):
        torch.manual_seed(1)
        with torch.autocast("cpu", torch.bfloat16):
            found.append(logits_of(head, batch.x, batch.mask).float())
    assert 0 < float((found[0] - found[1]).detach().abs().max()) < 0.05


def test_inputs_standardised_in_pieces_are_the_same_bits() -> None:
    table: FeatureTable = make_table(LENGTHS)
    inputs, *others = [Standardize(WIDTH)] + [
        Standardize(WIDTH, piece) for piece in (1, 2 * 12 * WIDTH)
    ]
    for each in (inputs, *others):
        each.measure(table, np.arange(5))
    batch = gather(table, np.arange(5))
    for rounded in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=rounded):
            whole = inputs(batch.x, batch.mask)
            for each in others:
                found = each(batch.x, batch.mask)
                assert found.dtype == whole.dtype
                assert torch.equal(found, whole)


def test_mean_and_maximum_in_pieces_are_the_same_bits() -> None:
    batch = gather(make_table(LENGTHS, dtype="float32"), np.arange(5))
    whole = mean_and_maximum(batch.x, batch.mask)
    for text, (row, length) in enumerate(zip(batch.x, LENGTHS, strict=True)):
        torch.testing.assert_close(whole[text, 0], row[:length].mean(dim=0))
        assert torch.equal(whole[text, 1], row[:length].amax(dim=0))
    assert torch.equal(mean_and_maximum(batch.x, batch.mask, 2 * 12 * WIDTH), whole)
