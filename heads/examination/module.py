"""A PyTorch module of the user's own, called as the heads here are: vectors and mask in."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from pathlib import Path

import torch

from features.errors import ModuleError
from features.messages import clipped
from heads.examination.outputs import LOGITS, unwrap

LENGTHS = ("lengths", "length", "lens", "sizes")
"""Names of a second argument that takes (B,) numbers of vectors in place of the mask."""

Build = Callable[[], torch.nn.Module]
"""Makes the module anew; what is random in it is drawn from torch's global generator."""


class ForeignModule(torch.nn.Module):
    """A module of the user's own, with its output checked at every call.

    Args:
        module: takes (B, T, D) float32 vectors, zero at padding, and, if it has a second
            argument, (B, T) bool, True at real positions; a second argument called ``lengths``
            gets (B,) int64 instead. It returns (B, C).
        classes: C.
        reading: what the output is taken for; see :mod:`heads.examination.outputs`.
    """

    def __init__(self, module: torch.nn.Module, classes: int, reading: str = LOGITS) -> None:
        super().__init__()
        self.module = module
        self.classes = classes
        self.reading = reading
        self.second = _second_argument(module)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return (B, C) float32 logits: the output, or what its reading makes of it.

        Raises:
            ModuleError: the module fails, or returns something else.
        """
        return unwrap(self.output(x, mask), self.reading)

    def output(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return the (B, C) float32 output as it is. Raises like :meth:`forward`."""
        arguments = [x]
        if self.second:
            arguments.append(mask.sum(dim=1) if self.second in LENGTHS else mask)
        try:
            found = self.module(*arguments)
        except Exception as error:
            raise ModuleError(
                f"the module fails on vectors of shape {tuple(x.shape)}: {failure(error)}"
            ) from error
        wanted = (len(x), self.classes)
        if not isinstance(found, torch.Tensor) or tuple(found.shape) != wanted:
            got = (
                f"of shape {tuple(found.shape)}"
                if isinstance(found, torch.Tensor)
                else f"a {type(found).__name__}"
            )
            raise ModuleError(
                f"for vectors of shape {tuple(x.shape)} the module must return a tensor of "
                f"shape {wanted}, one row per text and one column per class; it returned {got}"
            )
        return found.float()


def failure(error: BaseException) -> str:
    """Return an error of the user's code on one line, with the last place in a file of it."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not _installed(frame.filename)]
    place = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {clipped(lines[0], 120)}{place}"


def _installed(file: str) -> bool:
    """Return whether a frame's file is of a library, or of this package."""
    parts = Path(file).parts
    package = Path(__file__).resolve().parents[1]
    return "site-packages" in parts or package in Path(file).resolve().parents


def _second_argument(module: torch.nn.Module) -> str:
    """Return the name of the second argument of ``forward``; '' if it takes one.

    Raises:
        ModuleError: it takes none, or needs more than two.
    """
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = list(inspect.signature(module.forward).parameters.values())
    if any(each.kind == inspect.Parameter.VAR_POSITIONAL for each in parameters):
        return "mask"
    named = [each for each in parameters if each.kind in kinds]
    required = [each for each in named if each.default is inspect.Parameter.empty]
    if not named or len(required) > 2:
        raise ModuleError(
            "forward must take the vectors (B, T, D), and may take a mask (B, T) or lengths "
            f"(B,) beside them; that of {type(module).__name__} takes "
            f"({', '.join(each.name for each in parameters)})"
        )
    return named[1].name if len(named) > 1 else ""
