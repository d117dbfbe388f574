"""CachedEncoder: the cache for any program that takes a ``SentenceTransformer``.

    model = CachedEncoder("all-MiniLM-L6-v2", cache="cache")
    BERTopic(embedding_model=model)

The name of this module is part of its interface: BERTopic recognises a model by the words
``sentence_transformers`` in the name of its type. It is imported when ``CachedEncoder`` is
first used, since the library imports torch.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import quantize_embeddings

from features.api import LazyEncoder, encode, load_encoder
from features.encoders.description.files import read_object
from features.encoders.description.hub import EMBEDDED
from features.encoders.options import EncoderOptions, VectorOptions
from features.errors import SettingError
from features.options import all_keywords, with_keywords
from features.store.store import FeatureStore
from features.vectors.table import POOLED, TOKENS, FeatureTable

WHOLE = "config_sentence_transformers.json"
"""File of a model that names its similarity."""

SENTENCE = "sentence_embedding"
TOKEN = "token_embeddings"


class CachedEncoder(SentenceTransformer):  # type: ignore[misc]
    """A ``SentenceTransformer`` whose ``encode`` reads vectors from the cache.

    A text passes through the encoder once, whoever asks for it: the cache is that of
    ``manyheads features``. The encoder is loaded when the first text is missing.

    Args:
        encoder: name of the embedded encoder, a folder, or a hub id.
        cache: folder of the feature store.
        device: a torch device; None: a GPU if there is one.
        truncate_dim: keep the first features only; None keeps all.
        keywords: the fields of ``VectorOptions`` and ``EncoderOptions``, which say what they
            mean. ``dtype="float32", precision="float32"`` stores the library's own numbers;
            by default vectors are stored in float16, as the commands do.

    Raises:
        EncoderError: the encoder is not available.
        SettingError: an option is unknown, or ``max_tokens`` is not above the encoder's limit.
    """

    @with_keywords(VectorOptions, EncoderOptions)
    def __init__(
        self,
        encoder: str | Path = EMBEDDED,
        *,
        cache: str | Path = "cache",
        device: str | None = None,
        truncate_dim: int | None = None,
        **keywords: Any,
    ) -> None:
        given = all_keywords(keywords, VectorOptions, EncoderOptions)
        loading = {each.name: given.pop(each.name) for each in fields(EncoderOptions)}
        lazy = load_encoder(encoder, device=device, prompt=given.pop("prompt"), **loading)
        self._options = VectorOptions(**given)
        whole = read_object(lazy.model.folder / WHOLE, lazy.model.name)
        super().__init__(
            modules=[Frozen(lazy, self._options)],
            device=device,
            prompts=dict(lazy.model.prompts),
            similarity_fn_name=whole.get("similarity_fn_name"),
            truncate_dim=truncate_dim,
        )
        self._store = FeatureStore(cache)

    def encode(
        self,
        inputs: Sequence[str] | np.ndarray | str,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        output_value: str | None = SENTENCE,
        precision: str = "float32",
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: str | None = None,
        normalize_embeddings: bool = False,
        truncate_dim: int | None = None,
        pool: Any = None,
        chunk_size: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """Return the vectors of texts, as ``SentenceTransformer.encode`` does.

        Args:
            inputs: N texts, or one.
            prompt_name: put the prompt of this name, one of ``prompts``, before every text.
            prompt: put this text before every text; takes the place of ``prompt_name``.
            batch_size, chunk_size: have no effect: batches are formed by tokens.
            show_progress_bar: None: if the logger of sentence-transformers is at INFO.
            output_value: ``sentence_embedding`` or ``token_embeddings`` (last hidden states).
            precision: of what is returned: float32, int8, uint8, binary or ubinary.
            convert_to_numpy: return an array.
            convert_to_tensor: return one tensor; takes the place of ``convert_to_numpy``.
            device: a torch device for texts that are missing; None: the one at construction.
            normalize_embeddings: scale each vector to length 1.
            truncate_dim: keep the first features only.
            pool: refused; several processes encode with ``manyheads features --devices``.
            kwargs: ``task`` has no effect; all others are refused.

        Returns:
            (N, D) float32, (D,) for one text; (0,) for none. A list of N tensors without
            ``convert_to_numpy``. With ``token_embeddings`` a list of N tensors (T, D).

        Raises:
            SettingError: an argument that is not supported, or a value that is not a text.
            ManyheadsError: as for ``features.encode``.
        """
        self._refuse(pool, device, output_value, set(kwargs) - {"task"})
        single = isinstance(inputs, str)
        texts = [inputs] if isinstance(inputs, str) else _texts(inputs)
        layout = TOKENS if output_value == TOKEN else POOLED
        if not texts:
            none = np.zeros(0, np.float32)
            return [] if layout == TOKENS else self._form(none, False, convert_to_tensor)
        words, shown = self._prompt(prompt, prompt_name), _shown(show_progress_bar)
        table = self._table(texts, layout, words, device, shown)
        if layout == TOKENS:
            found = [torch.from_numpy(_floats(vectors)) for vectors in _sequences(table)]
        else:
            vectors = _floats(table.values)[:, : truncate_dim or self.truncate_dim or None]
            vectors = _quantized(_scaled(vectors, normalize_embeddings), precision)
            found = self._form(vectors, not convert_to_numpy, convert_to_tensor)
        return found[0] if single else found

    def _form(self, vectors: np.ndarray, as_list: bool, as_tensor: bool) -> Any:
        if as_tensor:
            return torch.from_numpy(np.ascontiguousarray(vectors))
        return list(torch.from_numpy(np.ascontiguousarray(vectors))) if as_list else vectors

    def _table(
        self, texts: list[str], layout: str, prompt: str, device: str | None, shown: bool
    ) -> FeatureTable:
        from tqdm.auto import tqdm

        frozen: Frozen = self[0]
        layers = [frozen.lazy.model.depth] if layout == TOKENS else None
        with tqdm(total=len(texts), desc="Texts", disable=not shown) as bar:
            return encode(
                texts,
                frozen.on(device),
                self._store,
                self._options,
                layout=layout,
                layers=layers,
                prompt=prompt,
                on_batch=lambda count, _: bar.update(count),
            )

    def _prompt(self, prompt: str | None, name: str | None) -> str:
        """Return the text that stands before every text."""
        if prompt is not None:
            return prompt
        name = name if name is not None else self.default_prompt_name
        if name is None:
            return str(self[0].lazy.model.prompt)
        if name not in self.prompts:
            raise SettingError(
                f"no prompt is named {name!r}; the encoder has {', '.join(self.prompts)}"
            )
        return str(self.prompts[name] or "")

    def _refuse(self, pool: Any, device: Any, output: str | None, unknown: set[str]) -> None:
        if pool is not None or not isinstance(device, str | torch.device | None):
            raise SettingError(
                "CachedEncoder.encode runs in this process; to encode with several processes "
                "or GPUs run: manyheads features --devices, and then read the cache here"
            )
        if output not in (SENTENCE, TOKEN):
            raise SettingError(
                f"CachedEncoder.encode has no output_value {output!r}; give {SENTENCE} or "
                f"{TOKEN}"
            )
        if unknown:
            raise SettingError(
                f"CachedEncoder.encode takes no argument {sorted(unknown)[0]!r}; a cached "
                "vector depends on the options given at construction alone"
            )


def _sequences(table: FeatureTable) -> Iterable[np.ndarray]:
    """Yield the (T, D) vectors of each text."""
    return (table.sequence(row) for row in range(len(table)))


def _scaled(vectors: np.ndarray, wanted: bool) -> np.ndarray:
    """Return vectors (N, D), each scaled to length 1 if that is wanted."""
    if not wanted:
        return vectors
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: np.ndarray = vectors / np.maximum(lengths, 1e-12)
    return scaled


def _quantized(vectors: np.ndarray, precision: str) -> np.ndarray:
    """Return vectors in a precision of sentence-transformers; "" stands for float32."""
    if not precision or precision == "float32":
        return vectors
    quantized: np.ndarray = quantize_embeddings(vectors, precision=precision)
    return quantized


class Frozen(torch.nn.Module):
    """The one module of a ``CachedEncoder``: it says what the model is, and never runs.

    Args:
        lazy: the encoder, not loaded yet.
        options: what decides the vectors.
    """

    def __init__(self, lazy: LazyEncoder, options: VectorOptions) -> None:
        super().__init__()
        self.lazy = lazy
        self.max_seq_length = options.max_tokens or lazy.model.max_length
        self._others: dict[str, LazyEncoder] = {}

    def on(self, device: str | torch.device | None) -> LazyEncoder:
        """Return the encoder on a device, its own for None; loaded at most once each."""
        if device is None or str(device) == self.lazy.device:
            return self.lazy
        name = str(device)
        if name not in self._others:
            self._others[name] = LazyEncoder(self.lazy.model, name, self.lazy.backend)
        return self._others[name]

    def get_embedding_dimension(self) -> int:
        """Return D of the pooled vectors."""
        return self.lazy.model.pooled_width

    @property
    def tokenizer(self) -> Any:
        """The tokenizer of the model. Loads it, not the encoder."""
        from transformers import AutoTokenizer

        model = self.lazy.model
        return AutoTokenizer.from_pretrained(
            model.transformer, local_files_only=True, trust_remote_code=model.trust_remote_code
        )

    def forward(self, *_: Any, **__: Any) -> Any:
        """Refuse. Raises ``SettingError``: nothing is trained or run through here."""
        raise SettingError(
            "a CachedEncoder is frozen: it has no forward pass of its own and cannot be "
            "trained; call encode, or load a SentenceTransformer"
        )

    preprocess = forward


def _texts(inputs: Iterable[Any]) -> list[str]:
    texts = inputs.tolist() if isinstance(inputs, np.ndarray) else list(inputs)
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise SettingError(
                f"inputs[{row}] is a {type(text).__name__}, not a text; a CachedEncoder "
                "takes texts alone"
            )
    return texts


def _floats(values: np.ndarray) -> np.ndarray:
    return np.array(values, dtype=np.float32)  # a copy: the table may be a read-only view


def _shown(wanted: bool | None) -> bool:
    if wanted is not None:
        return wanted
    level = logging.getLogger("sentence_transformers").getEffectiveLevel()
    return level in (logging.INFO, logging.DEBUG)
