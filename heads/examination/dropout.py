"""Dropout of a module of the user's own: how much it drops, and the module without it."""

from __future__ import annotations

from collections.abc import Iterator

import torch


def most_dropped(module: torch.nn.Module) -> float:
    """Return the largest share that a layer of a module drops; 0 without dropout.

    What layers keep is not multiplied: beside a residual connection it does not add up.
    """
    return max((float(getattr(layer, name)) for layer, name in _dropping(module)), default=0.0)


def without_dropout(module: torch.nn.Module) -> None:
    """Set the shares that the dropout layers and LSTMs of a module drop to 0."""
    for layer, name in _dropping(module):
        setattr(layer, name, 0.0)


def _dropping(module: torch.nn.Module) -> Iterator[tuple[torch.nn.Module, str]]:
    """Yield every layer that drops, with the name of its share."""
    for each in module.modules():
        if isinstance(each, torch.nn.modules.dropout._DropoutNd):
            yield each, "p"
        elif isinstance(each, torch.nn.MultiheadAttention) or (
            isinstance(each, torch.nn.RNNBase) and each.num_layers > 1  # between its layers
        ):
            yield each, "dropout"
