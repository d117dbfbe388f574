"""Stage 2: train classifier heads on cached vectors and labels.

    from heads import HeadClassifier

    HeadClassifier("cnn").fit(table, labels).predict(table)    # like any scikit-learn
    classifier

Names are loaded when they are first used: importing this package does not import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from features.machine.threads import let_threads_sleep

if TYPE_CHECKING:
    from heads.estimator import HeadClassifier

__all__ = ["HeadClassifier"]

let_threads_sleep()  # before anything here imports torch


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module("heads.estimator"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
