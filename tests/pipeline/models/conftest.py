"""What tests of exported models share."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cache

import pytest
from torch.onnx._internal.exporter._registration import ONNXRegistry


@pytest.fixture(scope="session", autouse=True)
def _operators_are_read_once() -> Iterator[None]:
    """Keep torch's table of ONNX operators: to make it, the source of 500 functions is parsed.

    Every export makes it anew, in a quarter of its time, and adds operators to its own.
    """
    read = cache(ONNXRegistry.from_torchlib)

    def own(**version: int) -> ONNXRegistry:
        registry = copy.copy(read(**version))
        registry.functions = {name: [*found] for name, found in registry.functions.items()}
        return registry

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ONNXRegistry, "from_torchlib", staticmethod(own))
        yield
