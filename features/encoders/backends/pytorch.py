"""The back end that runs an encoder in PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from features.encoders.backends.base import Inputs, Run
from features.encoders.backends.names import TORCH
from features.encoders.loading import shows_layers


class _EnoughError(Exception):
    """Ends a forward pass below the layers that nobody asked for."""


class TorchBackend:
    """A transformers model on its own device.

    The layers above those asked for are not run, where the first batch shows that this changes
    no bit.

    Args:
        load: returns the model, the same every time; called when it is first run.
        options: arguments of every forward pass.
    """

    name = TORCH

    def __init__(self, load: Callable[[], Any], options: dict[str, Any]) -> None:
        self._load, self._options = load, options
        self._alike: dict[tuple[tuple[int, ...], str], bool] = {}

    @contextmanager
    def running(self, layers: Sequence[int], precision: str) -> Iterator[Run]:
        """Return a forward pass; a model that shows no layers gives its last one for each."""
        transformer = self._load()
        shown = shows_layers(transformer)
        stack = stack_of(transformer)
        work = (tuple(layers), precision)

        def whole(inputs: Inputs) -> dict[int, Tensor]:
            if not shown:
                last = transformer(**inputs, **self._options).last_hidden_state
                return dict.fromkeys(layers, last)
            hidden = transformer(
                **inputs, **self._options, output_hidden_states=True, return_dict=True
            ).hidden_states
            return {layer: hidden[layer] for layer in layers}

        def run(inputs: Inputs) -> dict[int, Tensor]:
            alike = self._alike.get(work, True)
            if not shown or stack is None or max(layers) >= len(stack) or not alike:
                return whole(inputs)
            lower = lower_layers(transformer, stack, layers, {**inputs, **self._options})
            # A model may pad within, and cut that off only behind its layers.
            shape = inputs["input_ids"].shape
            alike = all(states.shape[:2] == shape for states in lower.values())
            if alike and work in self._alike:
                return lower
            expected = whole(inputs)  # a model may do more than its layers, such as normalize
            self._alike[work] = (
                alike
                and lower.keys() == expected.keys()
                and all(torch.equal(lower[layer], expected[layer]) for layer in layers)
            )
            return expected

        # Autocast keeps its bfloat16 copies of weights during the context only if they require
        # a gradient. So they do; no gradient is computed, because of no_grad.
        device = transformer.device.type
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
            yield run


def stack_of(transformer: Any) -> torch.nn.ModuleList | None:
    """Return the layers of a transformer, one module each; None if it does not show them."""
    depth = getattr(getattr(transformer, "config", None), "num_hidden_layers", None)
    if not isinstance(transformer, torch.nn.Module):
        return None
    lists = (each for each in transformer.modules() if isinstance(each, torch.nn.ModuleList))
    return next((each for each in lists if len(each) == depth), None)


def lower_layers(
    transformer: Any, stack: torch.nn.ModuleList, layers: Sequence[int], arguments: Any
) -> dict[int, Tensor]:
    """Return the hidden states of layers below the last, which are what the next layer takes.

    Args:
        transformer: the model.
        stack: its layers.
        layers: those wanted, each less than the number of layers.
        arguments: of the forward pass.

    Returns:
        Layer -> (B, T, D), without layers that take no hidden states.
    """
    found: dict[int, Tensor] = {}
    last = max(layers)

    def taking(layer: int) -> Any:
        def take(module: Any, args: tuple[Any, ...], named: dict[str, Any]) -> None:
            states = args[0] if args else named.get("hidden_states")
            if isinstance(states, Tensor):
                found[layer] = states
            if layer == last:
                raise _EnoughError

        return take

    hooks = [
        stack[layer].register_forward_pre_hook(taking(layer), with_kwargs=True)
        for layer in layers
    ]
    try:
        transformer(**arguments)
    except _EnoughError:
        pass
    finally:
        for hook in hooks:
            hook.remove()
    return found
