"""Dead and saturated units, and how far back a head sees, on heads with known weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from heads.head import SequenceHead
from heads.registry import head_type, make_settings
from heads.training.inspection import look_at_units, look_back
from tests.support.tables import make_table


def build(name: str, **overrides: object) -> SequenceHead:
    torch.manual_seed(0)
    head = head_type(name).build(make_settings(name, overrides), 6, 3)
    assert isinstance(head, SequenceHead)
    return head


def test_units_that_never_answer_are_dead() -> None:
    head = build("mlp", dense="8,4")
    table = make_table([1] * 40)
    first, second = look_at_units(head, table, np.arange(40))
    assert (first.name, first.units, first.dead) == ("dense 1", 8, 0.0)
    with torch.no_grad():
        head.dense.layers[1].bias[:3] = -100.0  # type: ignore[union-attr, index, operator]
    first, second = look_at_units(head, table, np.arange(40))
    assert first.dead == 0.0
    assert second.dead == 0.75


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_units_at_a_bound_are_saturated(activation: str) -> None:
    head = build("mlp", dense="8", dense_activation=activation)
    table = make_table([1] * 40)
    (layer,) = look_at_units(head, table, np.arange(40))
    assert (layer.kind, layer.saturated) == (activation, 0.0)
    with torch.no_grad():
        head.dense.layers[0].bias[:] = 100.0  # type: ignore[union-attr, index, operator]
    (layer,) = look_at_units(head, table, np.arange(40))
    assert layer.saturated == 1.0


def test_recurrent_layers_and_members_are_seen() -> None:
    head = build("lstm", layers=2, members=2, dense="5")
    layers = look_at_units(head, make_table([3, 9, 4, 2] * 20), np.arange(80))
    assert [(each.name, each.units) for each in layers] == [
        ("lstm 1", 192),
        ("lstm 2", 192),
        ("dense 1", 5),
    ]
    assert not head._forward_hooks


def test_a_last_state_sees_the_end_and_a_maximum_all() -> None:
    table = make_table([150] * 30)
    labels, rows = np.arange(30) % 3, np.arange(30)
    last = look_back(build("lstm", pooling="last", bidirectional=False), table, labels, rows)
    every = look_back(build("lstm", pooling="max", bidirectional=False), table, labels, rows)
    assert last[0] == every[0] == 1.0
    assert last[2] is not None
    assert every[2] is not None
    assert last[2] < 1e-6
    assert every[2] > 0.1


def test_short_texts_have_no_far_positions() -> None:
    found = look_back(build("cnn"), make_table([4] * 8), np.arange(8) % 3, np.arange(8))
    assert found[2] is None
