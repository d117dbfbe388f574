"""Optimizers and step-size schedules by name."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch

from heads.settings import TrainingSettings

# Of Smith and Topin, Super-convergence, 2018, as torch.optim.lr_scheduler.OneCycleLR has them:
# the first step size is a 25th of the peak, the last a 10,000th of the first.
FIRST, LAST = 1 / 25, 1 / 250_000

# The constants of keras.optimizers.RMSprop.
DECAY, EPSILON = 0.9, 1e-7


def make_optimizer(
    settings: TrainingSettings, parameters: Iterable[torch.nn.Parameter]
) -> torch.optim.Optimizer:
    """Return the optimizer that the settings name, for some parameters."""
    rate = settings.learning_rate
    if settings.optimizer == "adamw":
        decay = settings.weight_decay
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay, fused=True)
    if settings.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=rate, fused=True)
    if settings.optimizer == "rmsprop":
        return KerasRMSprop(parameters, rate)
    return DecoupledSGD(parameters, rate, settings.momentum, settings.weight_decay)


class DecoupledSGD(torch.optim.SGD):
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
        super().__init__(parameters, lr=rate, momentum=momentum, fused=True)
        self.decay = decay

    def step(self, closure: Any = None) -> Any:
        """Shrink the weights, then step."""
        with torch.no_grad():
            for group in self.param_groups:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        parameter.mul_(1.0 - group["lr"] * self.decay)
        return super().step(closure)


class KerasRMSprop(torch.optim.Optimizer):
    """RMSprop of Keras: a step is lr g / sqrt(v + 1e-7), where v = 0.9 v + 0.1 g².

    torch.optim.RMSprop adds its constant outside the root, so gradients below 1e-3 move weights
    thousands of times as far.
    """

    def __init__(self, parameters: Iterable[torch.nn.Parameter], rate: float) -> None:
        super().__init__(parameters, {"lr": rate})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Step along the current gradients."""
        for group in self.param_groups:
            for parameter in group["params"]:
                gradient = parameter.grad
                if gradient is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["square"] = torch.zeros_like(parameter)
                square = state["square"]
                square.mul_(DECAY).addcmul_(gradient, gradient, value=1 - DECAY)
                parameter.addcmul_(gradient, (square + EPSILON).rsqrt_(), value=-group["lr"])
        return None


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
