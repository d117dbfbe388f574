"""Bounded outputs are told, their floor is right, and their inverse gives the logits back."""

from __future__ import annotations

import math

import pytest
import torch

from heads.examination.outputs import (
    LOGITS,
    SIGMOID,
    SIGMOID_OF_SOFTMAX,
    SOFTMAX,
    TANH,
    loss_floor,
    output_range,
    unwrap,
)

RAW = torch.randn(200, 7, generator=torch.Generator().manual_seed(0)) * 3

SQUASHED = {
    LOGITS: RAW,
    SOFTMAX: RAW.softmax(dim=1),
    SIGMOID_OF_SOFTMAX: RAW.softmax(dim=1).sigmoid(),
    SIGMOID: RAW.sigmoid(),
    TANH: RAW.tanh(),
}


@pytest.mark.parametrize("kind", SQUASHED)
def test_each_kind_is_told_and_inverted(kind: str) -> None:
    outputs = SQUASHED[kind]
    assert output_range(outputs).kind == kind
    logits = unwrap(outputs, kind)
    assert torch.equal(logits.argmax(dim=1), RAW.argmax(dim=1))
    if kind in (SOFTMAX, SIGMOID):
        assert torch.allclose(logits.softmax(dim=1), RAW.softmax(dim=1), atol=1e-3)


def test_log_probabilities_are_no_fault() -> None:
    found = output_range(RAW.log_softmax(dim=1))
    assert found.kind == LOGITS
    assert found.log_probabilities


@pytest.mark.parametrize(
    ("classes", "floor"), [(2, 0.313), (6, 1.044), (7, 1.165), (10, 1.461), (77, 3.366)]
)
def test_the_floor_of_a_softmax(classes: int, floor: float) -> None:
    assert loss_floor(SOFTMAX, classes) == pytest.approx(floor, abs=1e-3)
    best = torch.eye(classes)
    loss = torch.nn.functional.cross_entropy(best, torch.arange(classes))
    assert loss_floor(SOFTMAX, classes) == pytest.approx(float(loss), abs=1e-6)


def test_logits_have_no_floor() -> None:
    assert loss_floor(LOGITS, 7) == 0.0
    assert loss_floor(SIGMOID_OF_SOFTMAX, 7) == pytest.approx(
        math.log1p(6 * math.exp(0.5 - 1 / (1 + math.exp(-1))))
    )


def test_a_text_that_is_surely_wrong_keeps_a_gradient() -> None:
    raw = torch.tensor([[30.0, 0.0, 0.0]], requires_grad=True)
    logits = unwrap(raw.softmax(dim=1), SOFTMAX)
    torch.nn.functional.cross_entropy(logits, torch.tensor([1])).backward()
    assert raw.grad is not None
    assert raw.grad.abs().max() > 0
