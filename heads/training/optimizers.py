"""Optimizers and step-size schedules by name.

The optimizers here are torch's own steps without its ``Optimizer`` class: making one of that
class imports torch's compiler, which takes longer than many a training.
"""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from heads.settings import TrainingSettings

# Of Smith and Topin, Super-convergence, 2018, as torch.optim.lr_scheduler.OneCycleLR has them:
# the first step size is a 25th of the peak, the last a 10,000th of the first.
FIRST, LAST = 1 / 25, 1 / 250_000

# The constants of keras.optimizers.RMSprop.
DECAY, EPSILON = 0.9, 1e-7

# Those of torch.optim.Adam: decay of the means of gradients and of their squares, and what is
# added to the root of the second.
BETAS, ADAM_EPSILON = (0.9, 0.999), 1e-8

COMPILER = "torch._dynamo"
FLAG = "__dynamo_disable"
"""The attribute in which torch keeps how it calls a function that it never compiles."""


class Optimizer(ABC):
    """Steps along the gradients of some parameters, float32 and all on one device.

    Attributes:
        param_groups: one group, as torch has it: ``params``, and the step size ``lr``.
    """

    def __init__(self, parameters: Iterable[torch.nn.Parameter], rate: float) -> None:
        self.param_groups: list[dict[str, Any]] = [{"params": [*parameters], "lr": rate}]
        self.state: dict[torch.Tensor, dict[str, torch.Tensor]] = {}

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.param_groups[0]["params"]:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Step along the current gradients; a parameter without one stays."""
        group = self.param_groups[0]
        moving = [each for each in group["params"] if each.grad is not None]
        if moving:
            self._move(moving, [each.grad for each in moving], group["lr"])

    @abstractmethod
    def _move(
        self, parameters: list[torch.Tensor], gradients: list[torch.Tensor], rate: float
    ) -> None:
        """Move parameters in place."""

    def _of(
        self, parameters: list[torch.Tensor], name: str, scalar: bool = False
    ) -> list[torch.Tensor]:
        """Return a value of the state of each parameter; at first it is 0.

        Args:
            scalar: whether it is one number, rather than of the parameter's shape.
        """
        found = []
        for parameter in parameters:
            own = self.state.setdefault(parameter, {})
            if name not in own:
                own[name] = (
                    torch.zeros((), dtype=torch.float32, device=parameter.device)
                    if scalar
                    else torch.zeros_like(parameter)
                )
            found.append(own[name])
        return found


def make_optimizer(
    settings: TrainingSettings, parameters: Iterable[torch.nn.Parameter]
) -> Optimizer:
    """Return the optimizer that the settings name, for some parameters."""
    rate = settings.learning_rate
    if settings.optimizer == "adamw":
        return Adam(parameters, rate, settings.weight_decay)
    if settings.optimizer == "adam":
        return Adam(parameters, rate)
    if settings.optimizer == "rmsprop":
        return KerasRMSprop(parameters, rate)
    return DecoupledSGD(parameters, rate, settings.momentum, settings.weight_decay)


class Adam(Optimizer):
    """``torch.optim.AdamW`` with ``fused=True``, the same to the bit; without decay it is Adam.

    Args:
        decay: each step shrinks the weights by this share times the step size.
    """

    def __init__(
        self, parameters: Iterable[torch.nn.Parameter], rate: float, decay: float = 0.0
    ) -> None:
        super().__init__(parameters, rate)
        self.decay = decay

    def _move(
        self, parameters: list[torch.Tensor], gradients: list[torch.Tensor], rate: float
    ) -> None:
        means, squares = self._of(parameters, "mean"), self._of(parameters, "square")
        steps = self._of(parameters, "step", scalar=True)
        torch._foreach_add_(steps, 1)
        torch._fused_adamw_(
            parameters,
            gradients,
            means,
            squares,
            [],
            steps,
            lr=rate,
            beta1=BETAS[0],
            beta2=BETAS[1],
            weight_decay=self.decay,
            eps=ADAM_EPSILON,
            amsgrad=False,
            maximize=False,
        )


class DecoupledSGD(Optimizer):
    """SGD with momentum and decoupled weight decay, like AdamW's.

    SGDW of Loshchilov and Hutter, Decoupled weight decay regularization, 2019.

    Args:
        decay: each step shrinks the weights by this share times the step size.
    """

    def __init__(
        self,
        parameters: Iterable[torch.nn.Parameter],
        rate: float,
        momentum: float,
        decay: float,
    ) -> None:
        super().__init__(parameters, rate)
        self.momentum, self.decay = momentum, decay

    def _move(
        self, parameters: list[torch.Tensor], gradients: list[torch.Tensor], rate: float
    ) -> None:
        for parameter in parameters:
            parameter.mul_(1.0 - rate * self.decay)
        torch._fused_sgd_(
            parameters,
            gradients,
            self._of(parameters, "momentum") if self.momentum else [],
            weight_decay=0.0,
            momentum=self.momentum,
            lr=rate,
            dampening=0.0,
            nesterov=False,
            maximize=False,
            is_first_step=False,
        )


class KerasRMSprop(Optimizer):
    """RMSprop of Keras: a step is lr g / sqrt(v + 1e-7), where v = 0.9 v + 0.1 g².

    torch.optim.RMSprop adds its constant outside the root, so gradients below 1e-3 move weights
    thousands of times as far.
    """

    def _move(
        self, parameters: list[torch.Tensor], gradients: list[torch.Tensor], rate: float
    ) -> None:
        squares = self._of(parameters, "square")
        for parameter, gradient, square in zip(parameters, gradients, squares, strict=True):
            square.mul_(DECAY).addcmul_(gradient, gradient, value=1 - DECAY)
            parameter.addcmul_(gradient, (square + EPSILON).rsqrt_(), value=-rate)


@contextmanager
def without_compiler() -> Iterator[None]:
    """Let the block make optimizers of ``torch.optim`` without torch's compiler.

    Some of their methods import it, 1.5 s, only to note that it shall not compile them. Within
    the block they are called as they are; afterwards torch is as before.
    """
    names = () if COMPILER in sys.modules else ("add_param_group", "zero_grad")
    plain = [
        getattr(getattr(torch.optim.Optimizer, name), "__wrapped__", None) for name in names
    ]
    marked = [each for each in plain if each is not None and not hasattr(each, FLAG)]
    for each in marked:
        setattr(each, FLAG, each)
    try:
        yield
    finally:
        for each in marked:
            delattr(each, FLAG)


def step_size(settings: TrainingSettings, step: int, steps: int) -> float:
    """Return the step size at a step: a warm-up, then constant or decreasing.

    ``cosine`` decreases along a half cosine after a linear warm-up (Loshchilov and Hutter,
    SGDR, 2017, without restarts). ``one_cycle`` also rises along a half cosine (Smith and
    Topin). If epochs have more batches than were counted, the additional steps have the last
    size.

    Args:
        settings: peak step size and schedule.
        step: number of the step, 1..steps.
        steps: number of steps in all.
    """
    step = min(step, steps)
    if settings.schedule == "one_cycle":
        return settings.learning_rate * _one_cycle(settings.warmup, step, steps)
    warmup = settings.warmup * steps
    if step < warmup:
        return settings.learning_rate * step / warmup
    if settings.schedule == "constant":
        return settings.learning_rate
    progress = (step - warmup) / (steps - warmup + 1)
    return settings.learning_rate * 0.5 * (1.0 + math.cos(math.pi * progress))


def _one_cycle(warmup: float, step: int, steps: int) -> float:
    """Return the share of the peak at step 1..steps."""
    peak = max(warmup * steps, 1.0)
    if step <= peak:
        return _between(FIRST, 1.0, (step - 1) / (peak - 1)) if peak > 1 else 1.0
    return _between(1.0, LAST, (step - peak) / (steps - peak))


def _between(start: float, end: float, progress: float) -> float:
    """Return the value between start and end along a half cosine."""
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * progress))
