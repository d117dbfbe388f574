"""Roofline: how fast this machine multiplies matrices, as a limit for a run's speed.

A transformer's forward pass is nearly all matrix products, so their rate limits it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from features.errors import EncoderError

HELD_SECONDS = 0.1
SIZES = (1024, 2048, 4096)
"""Sides of the square matrices that are measured."""

XLNET = "xlnet"


def forward_flops(
    config: Mapping[str, Any], lengths: np.ndarray, counts: np.ndarray | None = None
) -> float:
    """Return the floating-point operations of one forward pass, without padding.

    A layer takes 2 operations per token for each weight of its matrices, and 4 x T x D for the
    two products of attention over T tokens. XLNet multiplies its relative positions as well.

    Args:
        config: the transformer's config.json.
        lengths: (N,) tokens per sequence, special tokens included.
        counts: (N,) number of sequences of each length; None: one each.

    Raises:
        EncoderError: the configuration does not say how wide its layers are.
    """
    width = _number(config, "hidden_size", "dim", "d_model")
    inner = _number(config, "intermediate_size", "hidden_dim", "d_inner")
    layers = _number(config, "num_hidden_layers", "n_layers", "n_layer")
    # Keys for positions: two per token, with a matrix of their own.
    projections, products = (6, 8) if config.get("model_type") == XLNET else (4, 4)
    weights = projections * width**2 + 2 * width * inner
    tokens = lengths.astype(np.float64)
    each = layers * (2 * weights * tokens + products * width * tokens**2)
    return float((each if counts is None else each * counts).sum())


def measured_peak(precision: str, device: str = "cpu") -> float:
    """Return the operations per second of square matrix products, over a tenth of a second.

    The best of several sizes counts: small ones fit in the processor's caches, large ones keep
    a GPU busy. It takes less than half a second; if one product would take longer than its
    share of that, the larger sizes are left out.

    Args:
        precision: ``float32`` or ``bfloat16``.
    """
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    best = 0.0
    for size in SIZES:
        if best and 2.0 * size**3 / best > HELD_SECONDS:
            break
        a = torch.ones((size, size), dtype=dtype, device=device)
        _multiply(a)  # starts threads, chooses kernels
        start = time.perf_counter()
        count = 0
        while (seconds := time.perf_counter() - start) < HELD_SECONDS:
            _multiply(a)
            count += 1
        best = max(best, count * 2.0 * size**3 / seconds)
    return best


def _multiply(a: torch.Tensor) -> None:
    a @ a
    if a.is_cuda:
        torch.cuda.synchronize(a.device)


def _number(config: Mapping[str, Any], *names: str) -> int:
    for name in names:
        if isinstance(config.get(name), int):
            return int(config[name])
    raise EncoderError(
        f"config.json of this encoder states none of {', '.join(names)}, so its operations "
        "cannot be counted; leave out --roofline"
    )
