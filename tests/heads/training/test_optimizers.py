"""Step sizes and optimisers against answers by hand and against torch's own schedule."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from heads.architectures.cnn import CnnHead, CnnSettings
from heads.settings import TrainingSettings
from heads.training.optimizers import make_optimizer, step_size
from heads.training.trainer import fit_by_steps
from tests.support.cli import REPOSITORY
from tests.support.tables import marker_problem


def test_step_sizes_by_hand() -> None:
    cosine = TrainingSettings(learning_rate=1.0, warmup=0.2, schedule="cosine")
    sizes = [step_size(cosine, step, 10) for step in range(1, 11)]
    assert sizes[:2] == [0.5, 1.0]
    assert sizes[2:] == sorted(sizes[2:], reverse=True)
    assert sizes[5] == pytest.approx(0.5 * (1 + np.cos(np.pi * 4 / 9)))
    assert 0 < sizes[-1] < 0.05
    constant = TrainingSettings(learning_rate=1.0, warmup=0.0, schedule="constant")
    assert [step_size(constant, step, 10) for step in (1, 5, 10)] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(("warmup", "steps"), [(0.3, 40), (0.25, 20), (0.5, 6)])
def test_one_cycle_is_that_of_torch(warmup: float, steps: int) -> None:
    settings = TrainingSettings(learning_rate=0.1, warmup=warmup, schedule="one_cycle")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    oracle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.1, total_steps=steps, pct_start=warmup, cycle_momentum=False
    )
    expected = []
    for _ in range(steps):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(expected) < steps:
            oracle.step()
    got = [step_size(settings, step, steps) for step in range(1, steps + 1)]
    assert got == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("warmup", [0.0, 0.05, 0.5, 1.0])
@pytest.mark.parametrize("schedule", ["cosine", "one_cycle", "constant"])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_step_sizes_never_leave_their_range(warmup: float, schedule: str, steps: int) -> None:
    settings = TrainingSettings(learning_rate=2.0, warmup=warmup, schedule=schedule)
    sizes = [step_size(settings, step, steps) for step in range(1, steps + 1)]
    assert all(0 < size <= 2.0 for size in sizes)
    assert step_size(settings, steps + 1, steps) == sizes[-1], "one batch more than was counted"


def one_step(optimizer: str, gradient: float, **settings: object) -> list[float]:
    """Where 1.0 stands after each of two steps with this gradient."""
    parameter = torch.nn.Parameter(torch.ones(1))
    made = make_optimizer(TrainingSettings(optimizer=optimizer, **settings), [parameter])
    positions = []
    for _ in range(2):
        parameter.grad = torch.full((1,), gradient)
        made.step()
        positions.append(float(parameter.detach()))
    return positions


@pytest.mark.parametrize("gradient", [3.0, 1e-4, 1e-6])
def test_rmsprop_is_that_of_keras(gradient: float) -> None:
    # v = 0.1 g^2, then 0.9 v + 0.1 g^2 = 0.19 g^2; a step is lr g / sqrt(v + 1e-7).
    first = 1 - 0.01 * gradient / np.sqrt(0.1 * gradient**2 + 1e-7)
    second = first - 0.01 * gradient / np.sqrt(0.19 * gradient**2 + 1e-7)
    got = one_step("rmsprop", gradient, learning_rate=0.01)
    assert 1 - np.array(got) == pytest.approx(1 - np.array([first, second]), rel=2e-3)


def test_sgd_has_momentum_of_gradients_and_decay_beside_it() -> None:
    # w shrinks by 0.1 decay; m = g, then 0.5 m + g.
    first = 1 * (1 - 0.1 * 0.2) - 0.1 * 2
    second = first * (1 - 0.1 * 0.2) - 0.1 * (0.5 * 2 + 2)
    got = one_step("sgd", 2.0, learning_rate=0.1, momentum=0.5, weight_decay=0.2)
    assert got == pytest.approx([first, second])


def test_only_adamw_of_the_two_decays() -> None:
    # The first step of Adam is the step size itself, whatever the gradient.
    settings = {"learning_rate": 0.1, "weight_decay": 0.5}
    assert one_step("adam", 7.0, **settings)[0] == pytest.approx(1 - 0.1)
    assert one_step("adamw", 7.0, **settings)[0] == pytest.approx(1 - 0.1 * 0.5 - 0.1)


@pytest.mark.parametrize(
    ("optimizer", "rate"), [("adam", 2e-3), ("rmsprop", 2e-3), ("sgd", 0.05)]
)
@pytest.mark.parametrize("schedule", ["one_cycle", "constant"])
def test_every_optimizer_learns_and_repeats_itself(
    optimizer: str, rate: float, schedule: str
) -> None:
    problem = marker_problem()
    settings = CnnSettings(
        optimizer=optimizer, learning_rate=rate, schedule=schedule, batch_size=16, epochs=12
    )
    first = fit_by_steps(CnnHead, settings, problem, 0)
    assert first.history[first.best_epoch - 1].validation_accuracy > 0.9
    second = fit_by_steps(CnnHead, settings, problem, 0)
    for key, value in first.state.items():
        assert value.tobytes() == second.state[key].tobytes(), key


THEIRS: dict[str, tuple[dict[str, float], Any]] = {
    "adamw": (
        {"weight_decay": 0.05},
        partial(torch.optim.AdamW, weight_decay=0.05, fused=True),
    ),
    "adam": ({}, partial(torch.optim.Adam, fused=True)),
    "sgd": (
        {"momentum": 0.9, "weight_decay": 0.0},
        partial(torch.optim.SGD, momentum=0.9, fused=True),
    ),
}


@pytest.mark.parametrize("name", THEIRS)
def test_steps_are_those_of_torch_to_the_bit(name: str) -> None:
    settings, theirs = THEIRS[name]
    positions = []
    for make in (
        partial(make_optimizer, TrainingSettings(optimizer=name, **settings)),
        partial(theirs, lr=0.01),
    ):
        torch.manual_seed(0)
        parameters = [torch.nn.Parameter(torch.randn(shape)) for shape in ((30, 7), (5,))]
        unused = torch.nn.Parameter(torch.ones(2))
        optimizer = make([*parameters, unused])
        for step in range(1, 8):
            optimizer.param_groups[0]["lr"] = 0.01 * step
            optimizer.zero_grad()
            sum(((1.3 * each - 0.2) ** 4).mean() for each in parameters).backward()
            optimizer.step()
        assert unused.tolist() == [1.0, 1.0]
        positions.append(torch.cat([each.detach().flatten() for each in parameters]))
    assert torch.equal(*positions)


def test_training_does_not_import_the_compiler() -> None:
    code = """
import sys, torch
from heads.settings import TrainingSettings
from heads.training.optimizers import make_optimizer, without_compiler
weights = torch.nn.Parameter(torch.ones(3))
for name in ("adamw", "adam", "rmsprop", "sgd"):
    optimizer = make_optimizer(TrainingSettings(optimizer=name), [weights])
    optimizer.zero_grad()
    weights.square().sum().backward()
    optimizer.step()
def closure():
    theirs.zero_grad()
    loss = weights.square().sum()
    loss.backward()
    return loss
with without_compiler():
    theirs = torch.optim.LBFGS([weights])
    theirs.step(closure)
import numpy as np
from features.words.counting import count_words
from heads.registry import make_settings
from heads.trained import fit, refit
words = count_words([f"{'good' if i % 2 else 'bad'} text of many {i}" for i in range(24)])
labels, rows = np.arange(24) % 2, np.arange(24)
settings = make_settings("logistic", {})
trained = fit("logistic", settings, words, labels, rows[:16], rows[16:], ("a", "b"), 0)
refit(trained, words, labels, rows, 0)
from features.vectors.table import FeatureTable
table = FeatureTable(np.ones((24, 8), np.float32), np.arange(25), "tokens")
settings = make_settings("cnn", {"epochs": 1, "refit": False})
state = torch.random.get_rng_state()
cnn = fit("cnn", settings, table, labels, rows[:16], rows[16:], ("a", "b"), 0)
cnn.logits(table, rows)
assert torch.equal(torch.random.get_rng_state(), state)
assert "torch._dynamo" not in sys.modules
torch.optim.SGD([weights], lr=0.1)
assert "torch._dynamo" in sys.modules, "afterwards torch is as before"
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)
