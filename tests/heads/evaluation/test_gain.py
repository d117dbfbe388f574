"""The gain over the best constant answer, on answers known by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from heads.evaluation.gain import measure_gain


def test_a_constant_answer_gains_nothing() -> None:
    labels = np.array([0] * 80 + [1] * 20)
    logits = np.tile(np.log([0.8, 0.2]).astype(np.float32), (100, 1))
    found = measure_gain(labels, logits)
    assert found is not None
    assert found.loss_gain == pytest.approx(0.0, abs=1e-3)
    assert found.accuracy_gain == 0.0
    assert found.effective_classes == pytest.approx(1 / math.exp(found.constant_loss))
    assert found.logit_spread == pytest.approx(0.0, abs=1e-6)
    assert found.recalls == (1.0, 0.0)


def test_a_head_that_is_right_but_too_sure_gains_much() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 400)
    answers = np.where(rng.random(400) < 0.7, labels, rng.integers(0, 4, 400))
    logits = (30.0 * np.eye(4)[answers]).astype(np.float32)
    found = measure_gain(labels, logits)
    assert found is not None
    assert found.loss > found.constant_loss  # so the plain loss would call it ignorant
    assert found.loss_gain > 0.3
    assert found.effective_classes == pytest.approx(1.0, abs=0.05)


def test_texts_of_unknown_classes_are_left_out() -> None:
    logits = np.eye(2, dtype=np.float32)[[0, 1, 0]]
    found = measure_gain(np.array([0, 1, 2]), logits)
    assert found is not None
    assert found.texts == 2
    assert measure_gain(np.array([2, 2, 2]), logits) is None


def test_logits_that_are_not_finite_have_no_gain() -> None:
    logits = np.array([[np.nan, 0.0], [0.0, 1.0]], np.float32)
    assert measure_gain(np.array([0, 1]), logits) is None
