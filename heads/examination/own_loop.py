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
        cleared: how often gradients were set to zero or None.
        moved: whether any weight is another than before.
        unmoved: names of the weights that were to learn and are as before.
        texts: training texts that it was given.
        seconds: it took.
    """

    logits: np.ndarray
    steps: int
    cleared: int
    moved: bool
    unmoved: tuple[str, ...]
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
    before = {name: one.detach().clone() for name, one in own.named_parameters()}
    learning = [name for name, one in own.named_parameters() if one.requires_grad]
    labels = torch.from_numpy(problem.labels[rows])
    with seeded(loop.seed, 1), _counted() as counts:
        try:
            train(own, batch.x.float(), batch.mask, labels)
        except ModuleError:
            raise
        except Exception as error:
            raise ModuleError(f"the training loop fails: {failure(error)}") from error
    after = dict(own.named_parameters())
    unmoved = {
        name
        for name, one in before.items()
        if name in after and torch.equal(one, after[name].detach())
    }
    for each in own.parameters():
        each.grad = None
    return Looped(
        predict(module, problem.table, problem.validation, loop),
        counts["steps"],
        counts["cleared"],
        len(unmoved) < len(before),
        tuple(name for name in learning if name in unmoved),
        len(rows),
        time.perf_counter() - started,
    )


@contextmanager
def _counted() -> Iterator[dict[str, int]]:
    """Count steps of optimizers, and how often gradients are cleared, within the block."""
    counts = {"steps": 0, "cleared": 0}
    last: tuple[torch.Tensor | None, int] = (None, 0)  # a gradient, and ``cleared`` by then

    def stepped(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        nonlocal last
        own = (each.grad for group in optimizer.param_groups for each in group["params"])
        first = next((each for each in own if each is not None), None)
        by_hand = counts["cleared"] == last[1] and first is not last[0]  # weight.grad = None
        counts["cleared"] += by_hand and counts["steps"] > 0
        counts["steps"] += 1
        last = first, counts["cleared"]

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
