"""A training loop of the user's own, on their module or on one that is known to work."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from features.errors import ModuleError
from heads.examination.learning import Loop, predict
from heads.examination.module import Build, ForeignModule, failure
from heads.layers.masking import mean_of
from heads.problem import Problem
from heads.training.batches import gather
from heads.training.trainer import seeded

OwnLoop = Callable[[torch.nn.Module, torch.Tensor, torch.Tensor, torch.Tensor], object]
"""(module, (n, T, D) float32 vectors, (n, T) bool mask, (n,) int64 labels): trains in place."""

MOST_PADDED = 1 << 18
"""Vectors, padding included, that a loop of the user's own is given at the most."""


class Plain(torch.nn.Module):
    """A dense layer over the mean of a text's vectors: nothing in it can go wrong."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.hidden = torch.nn.Linear(width, 64)
        self.output = torch.nn.Linear(64, classes)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return (B, C) logits."""
        logits: torch.Tensor = self.output(torch.relu(self.hidden(mean_of(x, mask))))
        return logits


@dataclass(frozen=True, eq=False)
class Looped:
    """The result of a loop of the user's own.

    Attributes:
        logits: (m, C) float32 of the validation texts, in evaluation mode.
        steps: steps of any optimizer of torch.
        cleared: how often gradients were set to zero.
        moved: whether any weight is another than before.
        texts: training texts that it was given.
        seconds: it took.
    """

    logits: np.ndarray
    steps: int
    cleared: int
    moved: bool
    texts: int
    seconds: float


def run_own_loop(build: Build, train: OwnLoop, problem: Problem, loop: Loop) -> Looped:
    """Train a module by a loop of the user's own and ask it for the validation texts.

    Args:
        build: makes the module.
        train: the loop.
        problem: what to learn; long corpora are cut to ``MOST_PADDED`` vectors.
        loop: the seed, and how the module is asked.

    Raises:
        ModuleError: the loop or the module fails.
    """
    started = time.perf_counter()
    longest = int(problem.table.lengths[problem.train].max())
    rows = problem.train[: max(64, MOST_PADDED // longest)]
    batch = gather(problem.table, rows)
    with seeded(loop.seed, 0):
        module = ForeignModule(build(), problem.classes, loop.reading)
    own = module.module
    before = [each.detach().clone() for each in own.parameters()]
    labels = torch.from_numpy(problem.labels[rows])
    with seeded(loop.seed, 1), _counted() as counts:
        try:
            train(own, batch.x.float(), batch.mask, labels)
        except ModuleError:
            raise
        except Exception as error:
            raise ModuleError(f"the training loop fails: {failure(error)}") from error
    moved = any(
        not torch.equal(one, other.detach())
        for one, other in zip(before, own.parameters(), strict=True)
    )
    for each in own.parameters():
        each.grad = None
    return Looped(
        predict(module, problem.table, problem.validation, loop),
        counts["steps"],
        counts["cleared"],
        moved,
        len(rows),
        time.perf_counter() - started,
    )


@contextmanager
def _counted() -> Iterator[dict[str, int]]:
    """Count steps of optimizers, and how often gradients are set to zero, within the block."""
    counts = {"steps": 0, "cleared": 0}

    def stepped(*_: Any) -> None:
        counts["steps"] += 1

    hook = register_optimizer_step_pre_hook(stepped)
    kinds: tuple[Any, ...] = (torch.optim.Optimizer, torch.nn.Module)
    usual = [kind.zero_grad for kind in kinds]

    def counting(clear: Callable[..., None]) -> Callable[..., None]:
        def cleared(*arguments: Any, **keywords: Any) -> None:
            counts["cleared"] += 1
            clear(*arguments, **keywords)

        return cleared

    try:
        for kind, clear in zip(kinds, usual, strict=True):
            kind.zero_grad = counting(clear)
        yield counts
    finally:
        hook.remove()
        for kind, clear in zip(kinds, usual, strict=True):
            kind.zero_grad = clear
