"""The interface of a back end: token ids and a mask in, hidden states out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from torch import Tensor

Inputs = dict[str, Tensor]
"""``input_ids``, ``attention_mask`` and usually ``token_type_ids``, each (B, T) int64."""

Run = Callable[[Inputs], dict[int, Tensor]]
"""A forward pass: layer -> hidden states (B, T, D), valid until the next call."""


class Backend(Protocol):
    """The interface of a back end.

    Attributes:
        name: ``torch`` or ``openvino``.
    """

    name: str

    def running(self, layers: Sequence[int], precision: str) -> AbstractContextManager[Run]:
        """Return a forward pass for some layers, which may be called inside the context."""
        ...
