"""Initial weights by name, for systems that use others than torch's."""

from __future__ import annotations

import torch

from heads.settings import DenseInitial, Initial


def initialize_dense(layer: torch.nn.Linear, how: DenseInitial, deviation: float) -> None:
    """Initialize the weights of a dense layer, and set its biases to 0.

    Args:
        layer: the dense layer.
        how: ``orthogonal`` (Saxe et al., 2014, arXiv:1312.6120), ``he_uniform`` (He et al.,
            2015, arXiv:1502.01852), ``normal`` with mean 0, or ``default``, which keeps
            torch's.
        deviation: standard deviation of ``normal``.
    """
    if how == "default":
        return
    torch.nn.init.zeros_(layer.bias)
    if how == "orthogonal":
        torch.nn.init.orthogonal_(layer.weight)
    elif how == "he_uniform":
        torch.nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
    else:
        torch.nn.init.normal_(layer.weight, std=deviation)


def initialize_lstm(lstm: torch.nn.LSTM, how: Initial) -> None:
    """Make the input and recurrent weights of each gate orthogonal, or keep torch's."""
    if how == "default":
        return
    for weight in lstm.all_weights[0][:2]:
        for gate in weight.chunk(4):
            torch.nn.init.orthogonal_(gate)
