"""Stage 2: cached vectors and labels in, trained classifier heads out.

    from heads import HeadClassifier

    HeadClassifier("cnn").fit(table, labels).predict(table)    # as any scikit-learn classifier

The name is looked up when it is first used: importing this package imports no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heads.estimator import HeadClassifier

__all__ = ["HeadClassifier"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module("heads.estimator"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
