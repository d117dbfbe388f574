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
from features.encoders.segmentation import LANGUAGE
from features.errors import SettingError
from features.hardware import AUTO
from features.store.store import FeatureStore
from features.vectors.table import POOLED, FeatureTable


class FeatureEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A scikit-learn transformer from texts to cached vectors, which encodes nothing twice.

    The encoder is frozen: ``fit`` learns nothing and uses no labels, so in a Pipeline nothing
    leaks from one fold to another.

    Args:
        encoder: name of the embedded encoder, a folder, or a hub id.
        layout: ``pooled``; or ``tokens`` or ``sentences``, for ``heads.HeadClassifier``.
        layers: hidden states for the tokens layout, as for ``features.encode``.
        cache: folder of the feature store.
        dtype: stored form: ``float16``, ``float32`` or ``int8``.
        precision: of the matrix products: ``auto``, ``float32`` or ``bfloat16``.
        max_tokens: maximum tokens per text, in overlapping windows; None: cut at the encoder's
            limit.
        language: language of the rules that split sentences, such as ``de``; only for that
            layout.
        device: a torch device; None: a GPU if there is one.
        backend: back end of the encoder: ``auto``, ``torch`` or ``openvino``.
        trust_remote_code: run the Python code that comes with the encoder.
        prompt: text put before every text, such as ``query: ``; None: the encoder's default
            prompt; '': no prompt.
        prompt_name: name of one of the encoder's prompts, instead of ``prompt``.

    Attributes:
        n_features_out_: D, after ``fit``.
    """

    def __init__(
        self,
        encoder: str | Path = EMBEDDED,
        *,
        layout: str = POOLED,
        layers: Sequence[int] | None = None,
        cache: str | Path = "cache",
        dtype: str = "float16",
        precision: str = "auto",
        max_tokens: int | None = None,
        language: str = LANGUAGE,
        device: str | None = None,
        backend: str = AUTO,
        trust_remote_code: bool = False,
        prompt: str | None = None,
        prompt_name: str | None = None,
    ) -> None:
        self.encoder = encoder
        self.layout = layout
        self.layers = layers
        self.cache = cache
        self.dtype = dtype
        self.precision = precision
        self.max_tokens = max_tokens
        self.language = language
        self.device = device
        self.backend = backend
        self.trust_remote_code = trust_remote_code
        self.prompt = prompt
        self.prompt_name = prompt_name

    def fit(self, X: Iterable[str], y: Any = None) -> FeatureEncoder:
        """Find the encoder; learn nothing. Raises ``EncoderError``, ``SettingError``."""
        _texts(X)
        self.encoder_ = self._find()
        self.n_features_out_ = self._width(self.encoder_)
        return self

    def transform(self, X: Iterable[str]) -> np.ndarray | FeatureTable:
        """Return the vectors of N texts.

        Returns:
            (N, D) float32 when pooled; in the sequence layouts a ``FeatureTable`` of N texts.

        Raises:
            SettingError: a value is not a text.
            ManyheadsError: like ``features.encode``.
        """
        encoder = getattr(self, "encoder_", None) or self._find()
        store = FeatureStore(self.cache)
        table = encode(
            _texts(X),
            encoder,
            store,
            layout=self.layout,
            layers=self.layers,
            dtype=self.dtype,
            precision=self.precision,
            max_tokens=self.max_tokens,
            language=self.language,
        )
        return table.values.astype(np.float32) if self.layout == POOLED else table

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
        return encoder.model.spec(self.layout, layers).width

    def _find(self) -> LazyEncoder:
        return load_encoder(
            self.encoder,
            device=self.device,
            backend=self.backend,
            trust_remote_code=self.trust_remote_code,
            prompt=self.prompt,
            prompt_name=self.prompt_name,
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
