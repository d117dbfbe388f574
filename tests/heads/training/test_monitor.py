"""What is measured of the steps is right, and measuring changes nothing that is learned."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from heads.evaluation.measurements import StepMeasurements
from heads.registry import make_settings
from heads.trained import TrainedHead, fit
from heads.training.monitor import Monitor
from tests.support.tables import marker_problem

CLASSES = ("a", "b", "c")


def train(head: str, **overrides: object) -> TrainedHead:
    problem = marker_problem()
    settings = make_settings(head, {"epochs": 3, "batch_size": 16, **overrides})
    sides = problem.train, problem.validation
    return fit(head, settings, problem.table, problem.labels, *sides, CLASSES, 0)


def measured(head: str, **overrides: object) -> StepMeasurements:
    steps = train(head, **overrides).steps
    assert steps is not None
    return steps


@pytest.mark.parametrize("head", ["cnn", "lstm", "attention"])
def test_the_weights_are_the_same_to_the_bit(
    head: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = train(head)
    monkeypatch.setattr(Monitor, "due", lambda self, step: False)
    plain = train(head)
    assert watched.steps is not None
    assert plain.steps is None
    assert all(np.array_equal(watched.state[name], plain.state[name]) for name in plain.state)


def test_the_ratio_is_that_of_a_step() -> None:
    weight = torch.nn.Linear(4, 4, bias=False)
    with torch.no_grad():
        weight.weight.fill_(2.0)
    monitor = Monitor(weight, steps=1, clip=1.0)
    weight.weight.grad = torch.full((4, 4), 3.0)
    monitor.note_gradients()
    with torch.no_grad():
        weight.weight.sub_(0.02)
    monitor.note_update()
    monitor.note_norms([12.0])
    found = monitor.result()
    assert found is not None
    assert found.tensors[0].update_ratio == pytest.approx(0.01)
    assert found.log_ratio == pytest.approx(-2.0)
    assert found.tensors[0].gradient_norm == pytest.approx(12.0)
    assert (found.clipped_share, found.far_clipped_share) == (1.0, 1.0)


def test_a_larger_step_size_moves_the_weights_further() -> None:
    small, usual, large = (
        measured("cnn", learning_rate=rate, schedule="constant", warmup=0, averaging=0)
        for rate in (2e-5, 2e-3, 2e-1)
    )
    assert small.early_log_ratio < usual.early_log_ratio - 1.5
    assert usual.early_log_ratio < large.early_log_ratio - 1.0


def test_few_steps_of_a_long_training_are_measured() -> None:
    assert Monitor(torch.nn.Linear(2, 2), steps=1000, clip=1.0).every == 16
    found = measured("cnn")
    assert found.steps == 3 * 12
    assert found.measured <= found.steps / 2


def test_a_head_without_steps_has_none() -> None:
    assert Monitor(torch.nn.Identity(), steps=10, clip=1.0).result() is None
