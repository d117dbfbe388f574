"""The back end that runs an encoder in PyTorch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from features.encoders.backends.base import Inputs, Run
from features.encoders.backends.names import TORCH
from features.encoders.loading import shows_layers


class TorchBackend:
    """A transformers model on its own device.

    Args:
        transformer: the model.
        options: arguments of every forward pass.
    """

    name = TORCH

    def __init__(self, transformer: Any, options: dict[str, Any]) -> None:
        self._transformer, self._options = transformer, options
        self._shows_layers = shows_layers(transformer)

    @contextmanager
    def running(self, layers: Sequence[int], precision: str) -> Iterator[Run]:
        """Return a forward pass; a model that shows no layers gives its last one for each."""

        def run(inputs: Inputs) -> dict[int, Tensor]:
            if not self._shows_layers:
                last = self._transformer(**inputs, **self._options).last_hidden_state
                return dict.fromkeys(layers, last)
            hidden = self._transformer(
                **inputs, **self._options, output_hidden_states=True, return_dict=True
            ).hidden_states
            return {layer: hidden[layer] for layer in layers}

        # Autocast keeps its bfloat16 copies of weights during the context only if they require
        # a gradient. So they do; no gradient is computed, because of no_grad.
        device = self._transformer.device.type
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
            yield run
