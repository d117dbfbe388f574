"""Can a module learn 16 texts by heart? One that cannot is at fault, whatever the data is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from heads.examination.dropout import without_dropout
from heads.examination.learning import Loop, descend, trainable
from heads.examination.module import Build, ForeignModule
from heads.examination.outputs import OutputRange, output_range
from heads.problem import Problem
from heads.training.batches import Batch, gather
from heads.training.losses import cross_entropy
from heads.training.trainer import seeded

BY_HEART_TEXTS = 16
BY_HEART_STEPS = 300
BY_HEART_RATES = (1e-2, 1e-3)
"""Texts, steps and step sizes of learning by heart; the second rate where the first fails."""

BY_HEART_LOSS, BY_HEART_LEAST = 0.05, 5
"""Loss that ends it, but not before so many steps, which show whether weights move."""

BY_HEART_KEPT = 50
"""Steps in a row with all texts right and a loss that rests, which end it too."""

BY_HEART_VECTORS = 100
"""Vectors of each of them that are used: the first ones, so that long texts take no minutes."""

BY_HEART_WRONG = 0.05
"""Largest share of the texts that may be wrong in the end."""


@dataclass(frozen=True)
class ByHeart:
    """Whether a module can learn one batch by heart.

    Attributes:
        texts: how many.
        steps: taken until all were right, or all there were.
        wrong: share of the texts that it labels wrongly in the end, in training mode.
        first_loss, last_loss: mean cross-entropy before the first step and at the end.
        unmoved: names of the weights that none of the steps moved.
        outputs: what the output of the module looks like in the end, over the texts learned and
            as many others: what is still bounded then is bounded by the module.
    """

    texts: int
    steps: int
    wrong: float
    first_loss: float
    last_loss: float
    unmoved: tuple[str, ...]
    outputs: OutputRange

    @property
    def learned(self) -> bool:
        """Whether at most 5 % of the texts are wrong in the end."""
        return self.wrong <= BY_HEART_WRONG


def learn_by_heart(build: Build, problem: Problem, loop: Loop) -> ByHeart:
    """Try to learn 16 texts by heart, dropout off, in up to 300 steps.

    A module that cannot do so has a fault in its forward pass or its gradient, whatever the
    data is: Karpathy, A recipe for training neural networks, 2019.

    Raises:
        ModuleError: the module fails.
    """
    found = [_by_heart(build, problem, loop, rate) for rate in BY_HEART_RATES[:1]]
    if not found[0].learned:
        found.append(_by_heart(build, problem, loop, BY_HEART_RATES[1]))
    return min(found, key=lambda one: one.wrong)


def _by_heart(build: Build, problem: Problem, loop: Loop, rate: float) -> ByHeart:
    rows = mixed(problem, BY_HEART_TEXTS)
    labels = torch.from_numpy(problem.labels[rows])
    batch = gather(problem.table, rows, BY_HEART_VECTORS)
    batch = Batch(rows, batch.x.float(), batch.mask)
    with seeded(loop.seed, 0):
        module = ForeignModule(build(), problem.classes, loop.reading)
    before = {name: one.detach().clone() for name, one in module.module.named_parameters()}
    without_dropout(module)
    module.train()
    optimizer = torch.optim.Adam(trainable(module), lr=rate)
    first, loss, wrong, taken = math.nan, math.nan, 1.0, 0
    losses: list[float] = []
    with seeded(loop.seed, 1):
        for taken in range(1, BY_HEART_STEPS + 1):
            logits = module(batch.x, batch.mask)
            wrong = float((logits.argmax(dim=1) != labels).float().mean())
            value = cross_entropy(logits, labels)
            loss = float(value.detach())
            first = loss if taken == 1 else first
            losses = [*losses, loss] if wrong == 0 else []
            known = wrong == 0 and loss < BY_HEART_LOSS and taken > BY_HEART_LEAST
            if known or _rests(losses) or not math.isfinite(loss):
                break
            optimizer.zero_grad()
            descend(value)
            optimizer.step()
    unmoved = tuple(
        name
        for name, one in module.module.named_parameters()
        if one.requires_grad and torch.equal(one.detach(), before[name])
    )
    with torch.no_grad():
        others = gather(problem.table, problem.validation[: len(rows)], BY_HEART_VECTORS)
        outputs = [module.output(each.x.float(), each.mask) for each in (batch, others)]
    shape = output_range(torch.cat(outputs))
    return ByHeart(len(rows), taken, wrong, first, loss, unmoved, shape)


def _rests(losses: Sequence[float]) -> bool:
    """Return whether all texts have been right for so long that the loss falls no more."""
    return len(losses) > BY_HEART_KEPT and losses[-1] > 0.98 * losses[-1 - BY_HEART_KEPT]


def mixed(problem: Problem, count: int) -> np.ndarray:
    """Return (n,) int64 training rows, the classes in turn."""
    labels = problem.labels[problem.train]
    turn = np.zeros(len(labels), np.int64)
    for each in np.unique(labels):
        own = np.flatnonzero(labels == each)
        turn[own] = np.arange(len(own))
    return problem.train[np.lexsort((labels, turn))][:count]
