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


def test_gradients_that_are_cleared_by_hand_are_counted_too() -> None:
    def by_hand(module: Any, x: Any, mask: Any, labels: torch.Tensor) -> None:
        optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
        for _ in range(3):
            for each in module.parameters():
                each.grad = None
            torch.nn.functional.cross_entropy(module(x, mask), labels).backward()
            optimizer.step()

    found = run_own_loop(partial(Plain, WIDTH, 3), by_hand, marker_problem(), Loop())
    assert (found.steps, found.cleared) == (3, 2)


def test_weights_that_the_optimizer_was_not_given_are_named() -> None:
    def part(module: Any, x: Any, mask: Any, labels: torch.Tensor) -> None:
        optimizer = torch.optim.SGD(module.output.parameters(), lr=0.1)
        torch.nn.functional.cross_entropy(module(x, mask), labels).backward()
        optimizer.step()

    found = run_own_loop(partial(Plain, WIDTH, 3), part, marker_problem(), Loop())
    assert found.moved
    assert found.unmoved == ("hidden.weight", "hidden.bias")


def test_a_loop_that_does_nothing_moves_nothing() -> None:
    found = run_own_loop(
        partial(Plain, WIDTH, 3), lambda *arguments: None, marker_problem(), Loop()
    )
    assert (found.steps, found.moved) == (0, False)
