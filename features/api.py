"""The stage in two calls, for Python: ``load_encoder`` and ``encode``."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from features.encoders.backends.names import BACKENDS
from features.encoders.description.hub import EMBEDDED
from features.encoders.description.model import EncoderModel, find_model
from features.encoders.protocol import Encoder, Enough, OnBatch, PausingEncoder
from features.encoders.segmentation import LANGUAGE
from features.encoding.plan import check_disk, plan_encoding
from features.encoding.serial import encode as encode_missing
from features.errors import SettingError
from features.hardware import AUTO, chosen_precision
from features.messages import listed
from features.probe.probe import prepare
from features.store.store import FeatureStore
from features.vectors.block import Block
from features.vectors.precision import STORED_DTYPES
from features.vectors.spec import PRECISIONS, FeatureSpec, check_prompt
from features.vectors.table import POOLED, FeatureTable


class Described(Protocol):
    """An encoder that says which model it is, before anything of it is loaded."""

    model: EncoderModel

    def encode(
        self, texts: Sequence[str], specs: Sequence[FeatureSpec], on_batch: OnBatch
    ) -> list[Block]:
        """Return one block a spec, as ``features.encoding.serial.Encoder``."""
        ...


class LazyEncoder:
    """An encoder that is loaded when the first text has to be encoded, and only then.

    Args:
        model: which one.
        device: a torch device such as ``cuda:1``; None takes a GPU where there is one.
        backend: ``auto``, ``torch`` or ``openvino``.
    """

    def __init__(
        self, model: EncoderModel, device: str | None = None, backend: str = AUTO
    ) -> None:
        self.model = model
        self.device = device
        self._backend = backend
        self._loaded: PausingEncoder | None = None

    def loaded(self) -> PausingEncoder:
        """Return the encoder itself. Raises ``EncoderError``: it cannot be loaded."""
        if self._loaded is None:
            # Imported here alone: torch and transformers cost seconds.
            module = importlib.import_module("features.encoders.transformer")
            self._loaded = module.load_encoder(self.model, self.device, self._backend)
        return self._loaded

    def encode(
        self, texts: Sequence[str], specs: Sequence[FeatureSpec], on_batch: OnBatch
    ) -> list[Block]:
        """Return one block a spec, from one forward pass. Raises ``EncoderError``: cannot
        load."""
        return self.loaded().encode(texts, specs, on_batch)

    def encode_some(
        self,
        texts: Sequence[str],
        specs: Sequence[FeatureSpec],
        on_batch: OnBatch,
        enough: Enough,
    ) -> tuple[np.ndarray, list[Block]]:
        """Encode texts until ``enough``, as ``work.PausingEncoder``; raises as ``encode``."""
        return self.loaded().encode_some(texts, specs, on_batch, enough)


def load_encoder(
    name: str | Path = EMBEDDED,
    *,
    device: str | None = None,
    backend: str = AUTO,
    trust_remote_code: bool = False,
    prompt: str | None = None,
    prompt_name: str | None = None,
) -> LazyEncoder:
    """Find an encoder; it is loaded when the first text has to be encoded.

    Args:
        name: the embedded encoder's name, a folder, or a hub id.
        device: a torch device; None takes a GPU where there is one.
        backend: what runs the encoder: ``torch``, ``openvino``, or ``auto``, the faster one.
        trust_remote_code: run the Python code that comes with the model.
        prompt: text put before every text, such as ``query: ``; None takes the model's own
            default, which '' leaves out.
        prompt_name: the name that the model has for one, in place of the text.

    Raises:
        EncoderError: not to be had here, or not an encoder.
        SettingError: an unknown back end, or a prompt that the model does not have.
    """
    if backend not in BACKENDS:
        raise SettingError(f"unknown back end {backend!r}; choose one of {listed(BACKENDS)}")
    check_prompt(prompt)
    model = find_model(str(name), trust_remote_code)
    chosen = model.chosen_prompt(prompt, prompt_name)
    if chosen is not None:
        model = replace(model, prompt=chosen)
    return LazyEncoder(model, device, backend)


def encode(
    texts: Iterable[str],
    encoder: Described,
    store: FeatureStore,
    *,
    layout: str = POOLED,
    layers: Sequence[int] | None = None,
    dtype: str = "float16",
    precision: str = "auto",
    max_tokens: int | None = None,
    language: str = LANGUAGE,
    prompt: str | None = None,
    memory: int | None = None,
    on_batch: Callable[[int, int], None] = lambda texts, tokens: None,
) -> FeatureTable:
    """Return the vectors of texts, in their order; only texts that the store lacks are encoded.

    Args:
        texts: N texts; repeats cost nothing. A list, or a ``CorpusTexts``, which streams them
            from a file.
        layout: ``pooled`` (one vector per text), ``tokens`` (one per token) or ``sentences``
            (one pooled vector per sentence).
        layers: hidden states of the tokens layout, 0 being the embeddings and -1 the last;
            None takes the one two thirds up.
        dtype: stored form: ``float16``, ``float32`` or ``int8``.
        precision: of the matrix products: ``auto``, ``float32`` or ``bfloat16``.
        max_tokens: tokens seen of a text, through overlapping windows; None cuts it at the
            encoder's limit.
        language: whose rules end sentences, such as ``de``; for that layout alone.
        prompt: text put before every text; None takes that of ``load_encoder``.
        memory: bytes that the vectors may take of it, by default half of what is available;
            where they are more, ``values`` is read from a nameless file in the cache.
        on_batch: called after every batch with its number of texts and of tokens.

    Returns:
        A table of N texts; ``values`` is (rows, D) in the stored dtype (float16 for int8).

    Raises:
        SettingError: an unknown layout, layer, dtype, precision or language, or a
            ``max_tokens`` that needs no windows.
        EncoderError, CacheError, DiskSpaceError: the encoder or the cache cannot be used; or
            the encoder's vectors would not be those of its own library (see
            ``features.probe.probe``).
        BadVectorError: NaN, infinite or zero vectors; all other texts were stored.
    """
    for value, known in ((dtype, STORED_DTYPES), (precision, ("auto", *PRECISIONS))):
        if value not in known:
            raise SettingError(f"unknown value {value!r}; choose one of {listed(known)}")
    check_prompt(prompt)
    model = encoder.model
    chosen = tuple(layers) if layers is not None else None
    device = getattr(encoder, "device", None)  # of one that says where it runs
    spec = model.spec(
        layout,
        chosen,
        dtype=dtype,
        precision=chosen_precision(precision, (str(device),) if device else ()),
        max_tokens=max_tokens,
        language=language,
        prompt=prompt,
    )
    space = store.space(spec, model.label)
    plan = plan_encoding(texts, [space])
    if len(plan.missing):
        store.prepare()
        check_disk(plan, store.root)

    def ready() -> Encoder:
        prepare(encoder.loaded() if isinstance(encoder, LazyEncoder) else encoder, [space])
        return encoder

    encode_missing(plan, texts, [space], ready, on_batch)
    return space.table(plan.keys, memory)
