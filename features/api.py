"""The Python interface of the encoding stage: ``load_encoder`` and ``encode``."""

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
from features.machine.hardware import AUTO
from features.options import with_keywords
from features.probe.probe import prepare
from features.store.store import FeatureStore
from features.vectors.block import Block
from features.vectors.spec import FeatureSpec, check_prompt
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
        self.backend = backend
        self._loaded: PausingEncoder | None = None

    def loaded(self) -> PausingEncoder:
        """Load the encoder on the first call, and return it. Raises ``EncoderError``."""
        if self._loaded is None:
            # Imported here alone: torch and transformers cost seconds.
            module = importlib.import_module("features.encoders.transformer")
            self._loaded = module.load_encoder(self.model, self.device, self.backend)
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
        name: name of the embedded encoder, a folder, or a hub id.
        device: a torch device; None: a GPU if there is one.
        prompt: text put before every text, such as ``query: ``; None: the model's default
            prompt; '': no prompt.
        keywords: the fields of ``EncoderOptions``, which say what they mean.

    Raises:
        EncoderError: the encoder is not available, or the model is not an encoder.
        SettingError: the back end is unknown, or the model does not have the prompt.
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
    """Return the vectors of texts in their order; encode only those that are not in the cache.

    Args:
        texts: N texts; repeated texts are encoded once. A list, or a ``CorpusTexts``, which
            streams them from a file.
        encoder: as ``load_encoder`` returns it.
        store: the cache.
        options: what decides the vectors: the stored type, the prompt and so on. Without a
            prompt, that of ``load_encoder`` is taken.
        layout: ``pooled`` (one vector per text), ``tokens`` (one per token) or ``sentences``
            (one pooled vector per sentence).
        layers: hidden states for the tokens layout, 0 being the embeddings and -1 the last;
            None: the one at two thirds of the depth.
        memory: maximum bytes of RAM for the vectors, by default half of what is available;
            beyond that, ``values`` is memory-mapped from a temporary file in the cache.
        on_batch: called after every batch with its numbers of texts and tokens.
        keywords: fields of ``VectorOptions``, which say what they mean; they take the place of
            those in ``options``.

    Returns:
        A table of N texts; ``values`` is (rows, D) in the stored dtype (float16 for int8).

    Raises:
        SettingError: a layout, layer or option is unknown, or windows are not needed.
        EncoderError: the encoder cannot be used, or its vectors would differ from those of its
            own library (see ``features.probe.probe``).
        CacheError, DiskSpaceError: the cache cannot be written, or the disk is too small.
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
