"""FeatureEncoder: the cache as a scikit-learn transformer.

The only module of ``features`` that imports scikit-learn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from features.api import LazyEncoder, encode, load_encoder
from features.encoders.description.hub import EMBEDDED
from features.encoders.options import EncoderOptions, VectorOptions
from features.errors import SettingError
from features.options import all_keywords, with_keywords
from features.store.store import FeatureStore
from features.tables import Features, FeatureTables, parse_layout
from features.vectors.table import POOLED
from features.words.counting import count_words


class FeatureEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A scikit-learn transformer from texts to cached vectors, which encodes nothing twice.

    The encoder is frozen: ``fit`` learns nothing and uses no labels, so in a Pipeline nothing
    leaks from one fold to another.

    Args:
        encoder: name of the embedded encoder, a folder, or a hub id.
        layout: ``pooled``; for ``heads.HeadClassifier`` also ``tokens``, ``sentences``,
            ``words``, or words beside vectors, such as ``pooled,words``.
        layers: hidden states for the tokens layout, as for ``features.encode``.
        cache: folder of the feature store.
        device: a torch device; None: a GPU if there is one.
        keywords: the fields of ``VectorOptions`` and ``EncoderOptions``, which say what they
            mean. Each is a parameter of its own for ``set_params`` and grids.

    Attributes:
        n_features_out_: D, after ``fit``.
    """

    @with_keywords(VectorOptions, EncoderOptions)
    def __init__(
        self,
        encoder: str | Path = EMBEDDED,
        *,
        layout: str = POOLED,
        layers: Sequence[int] | None = None,
        cache: str | Path = "cache",
        device: str | None = None,
        **keywords: Any,
    ) -> None:
        self.encoder = encoder
        self.layout = layout
        self.layers = layers
        self.cache = cache
        self.device = device
        # Stored as they are given: scikit-learn checks nothing before ``fit``.
        for name, value in all_keywords(keywords, VectorOptions, EncoderOptions).items():
            setattr(self, name, value)

    def fit(self, X: Iterable[str], y: Any = None) -> FeatureEncoder:
        """Find the encoder; learn nothing. Raises ``EncoderError``, ``SettingError``."""
        _texts(X)
        self.encoder_ = self._find()
        self.n_features_out_ = self._width(self.encoder_)
        return self

    def transform(self, X: Iterable[str]) -> np.ndarray | Features | FeatureTables:
        """Return the vectors of N texts.

        Returns:
            (N, D) float32 when pooled; otherwise a table of N texts.

        Raises:
            SettingError: a value is not a text.
            ManyheadsError: like ``features.encode``.
        """
        texts = _texts(X)
        layout, words = parse_layout(self.layout)
        if layout is None:
            return count_words(texts)
        encoder = getattr(self, "encoder_", None) or self._find()
        store = FeatureStore(self.cache)
        table = encode(
            texts,
            encoder,
            store,
            VectorOptions.of(self, prompt=None),  # the encoder has it
            layout=layout,
            layers=self.layers,
        )
        if words:
            return FeatureTables((table, count_words(texts)))
        return table.values.astype(np.float32) if layout == POOLED else table

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return (D,) names ``vector0`` to ``vector<D - 1>``."""
        width = self._width(self._find())
        return np.array([f"vector{i}" for i in range(width)], dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.requires_fit = False
        return tags

    def __getstate__(self) -> dict[str, Any]:
        """Return the settings only: a copy in another process finds the encoder again."""
        state = dict(super().__getstate__())
        state.pop("encoder_", None)
        return state

    def _width(self, encoder: LazyEncoder) -> int:
        layers = tuple(self.layers) if self.layers is not None else None
        layout, _ = parse_layout(self.layout)
        return 0 if layout is None else encoder.model.spec(layout, layers).width

    def _find(self) -> LazyEncoder:
        return load_encoder(
            self.encoder,
            device=self.device,
            prompt=self.prompt,
            **vars(EncoderOptions.of(self)),
        )


def _texts(X: Iterable[str]) -> Sequence[str]:
    if isinstance(X, str):
        raise SettingError(
            "FeatureEncoder takes a list of texts; got one text: put it in a list"
        )
    texts = _column(np.asarray(X, dtype=object)) if hasattr(X, "__array__") else list(X)
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise SettingError(
                f"FeatureEncoder takes texts; row {row + 1} is {type(text).__name__} "
                f"{text!r}: pass one column of strings, without missing values"
            )
    return texts


def _column(array: np.ndarray) -> list[Any]:
    """Return the texts of an array or of a one-column data frame. Raises ``SettingError``."""
    if array.ndim > 1 and array.size != len(array):
        raise SettingError(
            f"FeatureEncoder takes one column of texts; got an array of shape {array.shape}: "
            "choose the column, or join them"
        )
    texts: list[Any] = array.ravel().tolist()
    return texts
