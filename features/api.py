"""The stage in two calls, for Python: ``load_encoder`` and ``encode``."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from features.encoders.description.hub import EMBEDDED
from features.encoders.description.model import EncoderModel, find_model
from features.encoders.options import EncoderOptions, VectorOptions
from features.encoders.protocol import Encoder, Enough, OnBatch, PausingEncoder
from features.encoding.plan import check_disk, plan_encoding
from features.encoding.serial import encode as encode_missing
from features.hardware import AUTO
from features.options import with_keywords
from features.probe.probe import prepare
from features.store.store import FeatureStore
from features.vectors.block import Block
from features.vectors.spec import FeatureSpec, check_prompt
from features.vectors.table import POOLED, FeatureTable


class Described(Protocol):
    """An encoder that says which model it is, before anything of it is loaded."""

    model: EncoderModel

    def encode(
        self, texts: Sequence[str], specs: Sequence[FeatureSpec], on_batch: OnBatch
    ) -> list[Block]:
        """One block a spec, as ``features.encoding.serial.Encoder``."""
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
        """The encoder itself. Raises ``EncoderError``: it cannot be loaded."""
        if self._loaded is None:
            # Imported here alone: torch and transformers cost seconds.
            module = importlib.import_module("features.encoders.transformer")
            self._loaded = module.load_encoder(self.model, self.device, self._backend)
        return self._loaded

    def encode(
        self, texts: Sequence[str], specs: Sequence[FeatureSpec], on_batch: OnBatch
    ) -> list[Block]:
        """One block a spec, from one forward pass. Raises ``EncoderError``: cannot load."""
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


@with_keywords(EncoderOptions)
def load_encoder(
    name: str | Path = EMBEDDED,
    *,
    device: str | None = None,
    prompt: str | None = None,
    **keywords: Any,
) -> LazyEncoder:
    """Find an encoder; it is loaded when the first text has to be encoded.

    Args:
        name: the embedded encoder's name, a folder, or a hub id.
        device: a torch device; None takes a GPU where there is one.
        prompt: text put before every text, such as ``query: ``; None takes the model's own
            default, which '' leaves out.
        keywords: the fields of ``EncoderOptions``, which say what they mean.

    Raises:
        EncoderError: not to be had here, or not an encoder.
        SettingError: an unknown back end, or a prompt that the model does not have.
    """
    options = EncoderOptions(**keywords)
    check_prompt(prompt)
    model = find_model(str(name), options.trust_remote_code)
    chosen = model.chosen_prompt(prompt, options.prompt_name)
    if chosen is not None:
        model = replace(model, prompt=chosen)
    return LazyEncoder(model, device, options.backend)


@with_keywords(VectorOptions)
def encode(
    texts: Iterable[str],
    encoder: Described,
    store: FeatureStore,
    options: VectorOptions | None = None,
    *,
    layout: str = POOLED,
    layers: Sequence[int] | None = None,
    memory: int | None = None,
    on_batch: Callable[[int, int], None] = lambda texts, tokens: None,
    **keywords: Any,
) -> FeatureTable:
    """The vectors of texts, in their order; only texts that the store lacks are encoded.

    Args:
        texts: N texts; repeats cost nothing. A list, or a ``CorpusTexts``, which streams them
            from a file.
        options: what decides the vectors: the stored type, the prompt and so on. Without a
            prompt, that of ``load_encoder`` is taken.
        layout: ``pooled`` (one vector a text), ``tokens`` (one a token) or ``sentences``
            (one pooled vector a sentence).
        layers: hidden states of the tokens layout, 0 being the embeddings and -1 the last;
            None takes the one two thirds up.
        memory: bytes that the vectors may take of it, by default half of what is available;
            where they are more, ``values`` is read from a nameless file in the cache.
        on_batch: called after every batch with its number of texts and of tokens.
        keywords: fields of ``VectorOptions``, which say what they mean; they take the place of
            those in ``options``.

    Returns:
        A table of N texts; ``values`` is (rows, D) in the stored dtype (float16 for int8).

    Raises:
        SettingError: an unknown layout, layer or option, or windows that are not needed.
        EncoderError, CacheError, DiskSpaceError: the encoder or the cache cannot be used; or
            the encoder's vectors would not be those of its own library (see
            ``features.probe.probe``).
        BadVectorError: NaN, infinite or zero vectors; all other texts were stored.
    """
    options = VectorOptions.of(options or VectorOptions(), **keywords)
    model = encoder.model
    chosen = tuple(layers) if layers is not None else None
    device = getattr(encoder, "device", None)  # of one that says where it runs
    spec = model.spec(layout, chosen, options.on((str(device),) if device else ()))
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
