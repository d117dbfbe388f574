"""Where a module's gradient goes: weights that no step moves, and how far back in a text."""

from __future__ import annotations

import numpy as np
import torch

from heads.examination.learning import Loop
from heads.examination.module import ForeignModule
from heads.problem import Problem
from heads.training.batches import gather
from heads.training.losses import cross_entropy

TEXTS = 64
"""Texts whose gradient is measured."""


def used_weights(
    module: ForeignModule, names: tuple[str, ...], problem: Problem, loop: Loop
) -> tuple[str, ...]:
    """Return those of some weights that the output depends on.

    Args:
        module: its weights are changed and restored.
        names: of parameters of the user's module.
        problem, loop: give a batch.
    """
    batch = gather(problem.table, problem.train[:TEXTS], loop.max_vectors)
    parameters = dict(module.module.named_parameters())
    module.eval()
    found = []
    with torch.no_grad():
        usual = module.output(batch.x.float(), batch.mask)
        for name in names:
            before = parameters[name].clone()
            noise = torch.from_numpy(np.random.default_rng(0).normal(size=before.shape))
            parameters[name].add_(noise.to(before.dtype))
            if not torch.equal(module.output(batch.x.float(), batch.mask), usual):
                found.append(name)
            parameters[name].copy_(before)
    return tuple(found)


def gradient_by_distance(
    module: ForeignModule, problem: Problem, loop: Loop, at: tuple[int, ...]
) -> dict[int, float]:
    """Return the gradient's mean norm at some distances from the end of a text.

    Args:
        module: of the user; left in evaluation mode.
        problem: the training texts.
        loop: how texts are cut.
        at: distances in vectors; 0 is the last vector.

    Returns:
        Distance -> norm of d loss / d x, over the texts that are long enough; of the longest
        texts first. Distances that no text has are left out.
    """
    lengths = problem.table.lengths[problem.train]
    rows = problem.train[np.argsort(-lengths, kind="stable")][: TEXTS // 4]
    batch = gather(problem.table, rows, loop.max_vectors)
    x = batch.x.float().requires_grad_()
    module.eval()
    logits = module(x, batch.mask)
    cross_entropy(logits, torch.from_numpy(problem.labels[rows])).backward()  # type: ignore[no-untyped-call]
    module.zero_grad()
    if x.grad is None:
        return {}
    norms = x.grad.norm(dim=2).numpy()
    own = batch.mask.sum(dim=1).numpy()
    found = {}
    for distance in at:
        long = np.flatnonzero(own > distance)
        if len(long):
            found[distance] = float(norms[long, own[long] - 1 - distance].mean())
    return found
