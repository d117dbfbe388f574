"""How often a command looks for garbage: a short-lived process needs little of it."""

from __future__ import annotations

import atexit
import gc

OBJECTS, YOUNG, OLD = 50_000, 20, 50
"""New objects, and rounds of the younger objects, after which Python looks for garbage. It
would start at 700: an import of torch makes a million objects that all stay."""


def collect_seldom() -> None:
    """Look for garbage seldom, and not at the exit: 0.5 s of a command that imports torch.

    It counts for the whole process, so only programs call it.
    """
    gc.set_threshold(OBJECTS, YOUNG, OLD)
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)  # what is frozen is not searched when Python ends
