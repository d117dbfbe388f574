"""Stage 1: encode texts and cache their vectors.

    from features import FeatureStore, load_encoder, encode

    encoder = load_encoder()                                  # loads nothing yet
    table = encode(texts, encoder, FeatureStore("cache"))     # FeatureTable, in order

Names are loaded when they are first used: importing this package does not import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from features.machine.threads import let_threads_sleep

if TYPE_CHECKING:
    from features.api import LazyEncoder, encode, load_encoder
    from features.corpus.corpus import Corpus, CorpusTexts, read_corpus
    from features.encoders.options import EncoderOptions, VectorOptions
    from features.estimator import FeatureEncoder
    from features.sentence_transformers import CachedEncoder
    from features.store.store import FeatureStore
    from features.vectors.table import FeatureTable

__all__ = [
    "CachedEncoder",
    "Corpus",
    "CorpusTexts",
    "EncoderOptions",
    "FeatureEncoder",
    "FeatureStore",
    "FeatureTable",
    "LazyEncoder",
    "VectorOptions",
    "encode",
    "load_encoder",
    "read_corpus",
]

_HOMES = {
    "CachedEncoder": "features.sentence_transformers",
    "Corpus": "features.corpus.corpus",
    "CorpusTexts": "features.corpus.corpus",
    "EncoderOptions": "features.encoders.options",
    "FeatureEncoder": "features.estimator",
    "FeatureStore": "features.store.store",
    "FeatureTable": "features.vectors.table",
    "LazyEncoder": "features.api",
    "VectorOptions": "features.encoders.options",
    "encode": "features.api",
    "load_encoder": "features.api",
    "read_corpus": "features.corpus.corpus",
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
