"""manyheads from Python: train, evaluate and predict, in a few lines.

    import manyheads

    run = manyheads.train("reviews.csv")       # or a data frame, or texts and labels
    run.test                                   # accuracy with its interval
    list(run.predict(["What a lovely day"]))   # labels

    run = manyheads.load_run("latest")         # the same, in another session

``features`` (texts to vectors) and ``heads`` (scikit-learn classifiers on vectors) are the two
stages behind it. Names are loaded when they are first used: importing this package does not
import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from features.machine.threads import let_threads_sleep

if TYPE_CHECKING:
    from features.api import encode, load_encoder
    from features.corpus.corpus import read_corpus
    from features.estimator import FeatureEncoder
    from features.store.store import FeatureStore
    from heads.estimator import HeadClassifier
    from manyheads.examination import examine
    from manyheads.run import Run, load_run
    from manyheads.training import train

__all__ = [
    "FeatureEncoder",
    "FeatureStore",
    "HeadClassifier",
    "Run",
    "encode",
    "examine",
    "load_encoder",
    "load_run",
    "read_corpus",
    "train",
]

_HOMES = {
    "FeatureEncoder": "features.estimator",
    "FeatureStore": "features.store.store",
    "HeadClassifier": "heads.estimator",
    "Run": "manyheads.run",
    "encode": "features.api",
    "examine": "manyheads.examination",
    "load_encoder": "features.api",
    "load_run": "manyheads.run",
    "read_corpus": "features.corpus.corpus",
    "train": "manyheads.training",
}

let_threads_sleep()  # before anything here imports torch


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
