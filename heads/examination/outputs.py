"""What a module's output is: logits, or something that a loss over logits must not be given.

A softmax in front of a cross-entropy over logits bounds what the loss sees: the best logits are
1 and 0, so the loss rests at ln(1 + (C - 1) / e), whatever is learned. The same holds for other
bounded functions. Their inverse gives the logits back, without touching the module.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

LOGITS = "logits"
SOFTMAX = "softmax"
SIGMOID_OF_SOFTMAX = "sigmoid of a softmax"
SIGMOID = "sigmoid"
TANH = "tanh"
SQUASHED = (SOFTMAX, SIGMOID_OF_SOFTMAX, SIGMOID, TANH)
"""Kinds of output, the narrowest first."""

ROUNDING = 1e-4
"""How far float32 outputs of a bounded function may lie outside its bounds, or sums from 1."""

LEAST = 1e-6
"""Added to probabilities before their logarithm: below it rounding decides. Added, and not a
lower bound, since a bound would leave a text without a gradient."""

BOUNDS = {
    SOFTMAX: (0.0, 1.0),
    SIGMOID_OF_SOFTMAX: (0.5, 1.0 / (1.0 + math.exp(-1.0))),
    SIGMOID: (0.0, 1.0),
    TANH: (-1.0, 1.0),
}


@dataclass(frozen=True)
class OutputRange:
    """The outputs of a module over n texts.

    Attributes:
        lowest, highest: of all numbers.
        kind: the narrowest of ``SQUASHED`` that all outputs fit, or ``logits``.
        log_probabilities: whether the probabilities of every row already sum to 1, as after a
            log-softmax, which a cross-entropy over logits does not mind.
    """

    lowest: float
    highest: float
    kind: str
    log_probabilities: bool


def output_range(outputs: torch.Tensor) -> OutputRange:
    """Return what (n, C) float32 outputs look like."""
    kind = next((each for each in SQUASHED if _fits(outputs, each)), LOGITS)
    sums = outputs.logsumexp(dim=1)
    return OutputRange(
        float(outputs.min()),
        float(outputs.max()),
        kind,
        bool((sums.abs() < ROUNDING).all()),
    )


def _fits(outputs: torch.Tensor, kind: str) -> bool:
    low, high = BOUNDS[kind]
    if outputs.min() < low - ROUNDING or outputs.max() > high + ROUNDING:
        return False
    if kind == SOFTMAX:
        return _sum_to_one(outputs)
    return kind != SIGMOID_OF_SOFTMAX or _sum_to_one(torch.logit(outputs, LEAST))


def _sum_to_one(rows: torch.Tensor) -> bool:
    return bool(((rows.sum(dim=1) - 1.0).abs() < 10 * ROUNDING).all())


def loss_floor(kind: str, classes: int) -> float:
    """Return the lowest cross-entropy, in nats, that outputs of a kind can reach as logits."""
    if kind == LOGITS:
        return 0.0
    low, high = BOUNDS[kind]
    return math.log1p((classes - 1) * math.exp(low - high))


def unwrap(outputs: torch.Tensor, reading: str) -> torch.Tensor:
    """Return (B, C) logits of outputs that are taken for one of the kinds.

    Args:
        outputs: (B, C) float32.
        reading: ``logits`` returns them as they are; another kind is inverted.
    """
    if reading == SOFTMAX:
        return (outputs.clamp_min(0.0) + LEAST).log()
    if reading == SIGMOID_OF_SOFTMAX:
        return (torch.logit(outputs, LEAST).clamp_min(0.0) + LEAST).log()
    if reading == SIGMOID:
        return torch.logit(outputs, LEAST)
    if reading == TANH:
        return torch.atanh(outputs.clamp(-1.0 + LEAST, 1.0 - LEAST))
    return outputs
