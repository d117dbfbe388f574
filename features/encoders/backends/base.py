"""What a back end is: token ids and a mask in, hidden states out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from torch import Tensor

Inputs = dict[str, Tensor]
"""``input_ids``, ``attention_mask`` and mostly ``token_type_ids``, each (B, T) int64."""

Run = Callable[[Inputs], dict[int, Tensor]]
"""One forward pass: hidden states (B, T, D) by layer, good until the next call."""


class Backend(Protocol):
    """What an encoder asks of a back end.

    Attributes:
        name: ``torch`` or ``openvino``.
    """

    name: str

    def running(self, layers: Sequence[int], precision: str) -> AbstractContextManager[Run]:
        """A forward pass that gives some layers, to be called while the context lasts."""
        ...
