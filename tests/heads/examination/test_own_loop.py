"""A training loop of the user's own: what it did is counted, and nothing is left behind."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from heads.examination.learning import Loop
from heads.examination.own_loop import Plain, run_own_loop
from tests.support.tables import WIDTH, marker_problem


def fit(module: Any, x: Any, mask: Any, labels: torch.Tensor, clear: bool = True) -> None:
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    for _ in range(3):
        if clear:
            module.zero_grad()
        torch.nn.functional.cross_entropy(module(x, mask), labels).backward()
        optimizer.step()


def test_steps_and_cleared_gradients_are_counted() -> None:
    problem = marker_problem()
    usual = torch.nn.Module.zero_grad
    found = run_own_loop(partial(Plain, WIDTH, 3), fit, problem, Loop())
    assert (found.steps, found.cleared, found.moved) == (3, 3, True)
    assert found.texts == len(problem.train)
    adding = run_own_loop(partial(Plain, WIDTH, 3), partial(fit, clear=False), problem, Loop())
    assert (adding.steps, adding.cleared) == (3, 0)
    assert torch.nn.Module.zero_grad is usual


def test_a_loop_that_does_nothing_moves_nothing() -> None:
    found = run_own_loop(
        partial(Plain, WIDTH, 3), lambda *arguments: None, marker_problem(), Loop()
    )
    assert (found.steps, found.moved) == (0, False)
