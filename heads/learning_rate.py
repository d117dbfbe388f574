"""Learning-rate range test: one short run finds the step sizes at which a head learns.

Training starts with fresh weights and a far too small step size, which grows by the same factor
at every step until the loss diverges (Smith, Cyclical learning rates for training neural
networks, 2017, arXiv:1506.01186). No I/O.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any, cast

import numpy as np

from features.errors import DivergedError, SettingError
from heads.head import SequenceHead
from heads.problem import Problem
from heads.registry import head_type
from heads.settings import HeadSettings, TrainingSettings
from heads.training.trainer import Trainer, initial_head, seeded, training_on

LOWEST = 1e-5
"""First step size by default."""

HIGHEST = 10.0
"""Last step size by default."""

MIN_STEPS = 100
"""Minimum number of steps by default; otherwise it is an epoch."""

MAX_STEPS = 500
"""Maximum number of steps by default."""

MIN_SHOWN, MOST = 20, 1_000_000

SMOOTHING = 0.05
"""Share of all steps over which the loss is averaged, with exponentially decaying weights."""

SHARE = 0.25
"""Suggested step size, as a share of that with the lowest smoothed loss; docs/learning-rate.md.
"""

DIVERGED = 4.0
"""Times its minimum, from which on the smoothed loss has diverged."""


@dataclass(frozen=True, eq=False)
class RangeTest:
    """The result of a range test of n steps.

    Attributes:
        rates: (n,) float64 step sizes, rising.
        losses: (n,) float64 mean cross-entropy of each step's batch, before the step.
        smoothed: (n,) float64 losses averaged over the last steps.
        diverged_at: step size at which the loss diverged; None if it did not.
        suggestion: suggested peak step size for training.
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    diverged_at: float | None
    suggestion: float

    @property
    def lowest_loss_at(self) -> float:
        """The step size with the lowest smoothed loss."""
        return float(self.rates[self.smoothed.argmin()])


class RangeTrainer(Trainer):
    """A trainer with given step sizes."""

    rates: np.ndarray

    def size(self, step: int) -> float:
        """Return the step size at step 1..n."""
        return float(self.rates[step - 1])


def range_test(
    head: str,
    settings: HeadSettings,
    problem: Problem,
    seed: int,
    lowest: float = LOWEST,
    highest: float = HIGHEST,
    steps: int | None = None,
    diverged: float = DIVERGED,
) -> RangeTest:
    """Train a head for some steps, each larger than the one before by the same factor.

    Args:
        head: name of the head in the registry.
        settings: settings of the head; the learning rate and its schedule are not used.
        problem: what to learn; the validation rows are not used.
        seed: seed of initial weights, order of the texts and dropout.
        lowest: first step size.
        highest: last step size, if the loss does not diverge before.
        steps: number of steps; None: an epoch, but between ``MIN_STEPS`` and ``MAX_STEPS``.
        diverged: the loss has diverged when its smoothed value is this many times its minimum.

    Raises:
        SettingError: the head is not trained by gradient steps, or the range is not valid.
        BadVectorError: a training vector is not finite.
    """
    check_range(head, lowest, highest, steps)
    settings = cast(TrainingSettings, settings).model_copy(update={"averaging": 0.0})
    build = cast(Callable[[Any, int, int], SequenceHead], head_type(head).build)
    with training_on(problem.device, settings.precision):
        trainer = RangeTrainer(
            initial_head(build, settings, problem, seed), settings, problem, seed
        )
        if steps is None:
            steps = min(max(trainer.steps // settings.epochs, MIN_STEPS), MAX_STEPS)
        trainer.rates = np.geomspace(lowest, highest, steps)
        losses, averages, diverged = _run(trainer, diverged)
    if diverged and len(losses) < MIN_SHOWN // 2:
        raise SettingError(
            f"the loss diverged after {len(losses)} steps, too few to judge by: start lower "
            f"than {lowest:g}, or take more steps than {steps}"
        )
    rates, smoothed = trainer.rates[: len(losses)], np.array(averages)
    diverged_at = float(rates[-1]) if diverged else None
    return RangeTest(rates, np.array(losses), smoothed, diverged_at, suggest(rates, smoothed))


def check_range(head: str, lowest: float, highest: float, steps: int | None) -> None:
    """Raise ``SettingError`` if the head, the range or the number of steps is not valid."""
    if not issubclass(head_type(head).settings, TrainingSettings):
        raise SettingError(
            f"head {head} takes no gradient steps, so there is no learning rate to find: train "
            "it as it is"
        )
    if not 0 < lowest < highest < math.inf:
        raise SettingError(
            f"the step sizes must rise from above 0; got {lowest:g} to {highest:g}: for "
            f"example {LOWEST:g} to {HIGHEST:g}"
        )
    if steps is not None and steps < MIN_SHOWN:
        raise SettingError(f"a range test needs at least {MIN_SHOWN} steps; got {steps}")
    if steps is not None and steps > MOST:
        raise SettingError(f"--steps takes {MIN_SHOWN} to {MOST:,}; got {steps}")


def _run(trainer: RangeTrainer, diverged: float) -> tuple[list[float], list[float], bool]:
    """Return n losses, n smoothed losses, and whether the loss diverged at the end."""
    steps = len(trainer.rates)
    decay = 1.0 - 1.0 / max(2.0, SMOOTHING * steps)
    losses: list[float] = []
    smoothed: list[float] = []
    total = weight = 0.0
    for epoch in count(1):
        with seeded(trainer.seed, epoch, trainer.device):
            trainer.head.train()
            for batch in trainer.parts(epoch):
                try:
                    loss = trainer.step(batch, epoch).loss / len(batch.rows)
                except DivergedError:
                    return losses, smoothed, True
                total, weight = decay * total + loss, decay * weight + 1.0
                losses.append(loss)
                smoothed.append(total / weight)
                if smoothed[-1] > diverged * min(smoothed):
                    return losses, smoothed, True
                if len(losses) == steps:
                    return losses, smoothed, False
    raise AssertionError("unreachable: an epoch has at least one batch")


def suggest(rates: np.ndarray, smoothed: np.ndarray) -> float:
    """Return the suggested peak step size: ``SHARE`` of that with the lowest smoothed loss."""
    return max(float(rates[0]), SHARE * float(rates[smoothed.argmin()]))
