"""The Python interface of the encoding stage: ``load_encoder`` and ``encode``."""

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
    """An encoder that knows its model before anything is loaded."""

    model: EncoderModel

    def encode(
        self, texts: Sequence[str], specs: Sequence[FeatureSpec], on_batch: OnBatch
    ) -> list[Block]:
        """Return one block per spec; see ``features.encoders.protocol.Encoder``."""
        ...


class LazyEncoder:
    """An encoder that is loaded when the first text has to be encoded.

    Args:
        model: which encoder.
        device: a torch device such as ``cuda:1``; None: a GPU if there is one.
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
        """Load the encoder on the first call, and return it. Raises ``EncoderError``."""
        if self._loaded is None:
            # Imported here alone: torch and transformers cost seconds.
            module = importlib.import_module("features.encoders.transformer")
            self._loaded = module.load_encoder(self.model, self.device, self._backend)
        return self._loaded

    def encode(
        self, texts: Sequence[str], specs: Sequence[FeatureSpec], on_batch: OnBatch
    ) -> list[Block]:
        """Return one block per spec, from one forward pass. Raises ``EncoderError``."""
        return self.loaded().encode(texts, specs, on_batch)

    def encode_some(
        self,
        texts: Sequence[str],
        specs: Sequence[FeatureSpec],
        on_batch: OnBatch,
        enough: Enough,
    ) -> tuple[np.ndarray, list[Block]]:
        """Encode texts until ``enough``; see ``PausingEncoder``. Raises ``EncoderError``."""
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
        name: name of the embedded encoder, a folder, or a hub id.
        device: a torch device; None: a GPU if there is one.
        backend: ``torch``, ``openvino``, or ``auto`` for the faster one.
        trust_remote_code: run the Python code that comes with the model.
        prompt: text put before every text, such as ``query: ``; None: the model's default
            prompt; '': no prompt.
        prompt_name: name of one of the model's prompts, instead of ``prompt``.

    Raises:
        EncoderError: the encoder is not available, or the model is not an encoder.
        SettingError: the back end is unknown, or the model does not have the prompt.
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
    """Return the vectors of texts in their order; encode only those that are not in the cache.

    Args:
        texts: N texts; repeated texts are encoded once. A list, or a ``CorpusTexts``, which
            streams them from a file.
        encoder: as ``load_encoder`` returns it.
        store: the cache.
        layout: ``pooled`` (one vector per text), ``tokens`` (one per token) or ``sentences``
            (one pooled vector per sentence).
        layers: hidden states for the tokens layout, 0 being the embeddings and -1 the last;
            None: the one at two thirds of the depth.
        dtype: stored form: ``float16``, ``float32`` or ``int8``.
        precision: of the matrix products: ``auto``, ``float32`` or ``bfloat16``.
        max_tokens: maximum tokens per text, in overlapping windows; None: cut at the encoder's
            limit.
        language: language of the rules that split sentences, such as ``de``; only for that
            layout.
        prompt: text put before every text; None: the prompt of ``load_encoder``.
        memory: maximum bytes of RAM for the vectors, by default half of what is available;
            beyond that, ``values`` is memory-mapped from a temporary file in the cache.
        on_batch: called after every batch with its numbers of texts and tokens.

    Returns:
        A table of N texts; ``values`` is (rows, D) in the stored dtype (float16 for int8).

    Raises:
        SettingError: a layout, layer, dtype, precision or language is unknown, or
            ``max_tokens`` needs no windows.
        EncoderError: the encoder cannot be used, or its vectors would differ from those of its
            own library (see ``features.probe.probe``).
        CacheError, DiskSpaceError: the cache cannot be written, or the disk is too small.
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
