"""TransformerEncoder: texts to vectors of any number of specs, in one forward pass.

Texts become tokens and batches here, and hidden states become vectors in the order of the
texts; a back end in between runs the transformer (``features.encoders.backends.selection``).

This module is imported only when something has to be encoded, and so is
``features.encoders.loading``, the only module that imports transformers.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from features.encoders import batching
from features.encoders.backends.base import Backend, Run
from features.encoders.backends.bert import BertBackend
from features.encoders.backends.bert_shape import bert_shape
from features.encoders.backends.kept_tokenizer import tokenizer_of
from features.encoders.backends.known import SEGMENTS
from features.encoders.backends.names import TORCH
from features.encoders.backends.pytorch import TorchBackend
from features.encoders.backends.selection import known_of, make_backend
from features.encoders.chain import Chain
from features.encoders.description.model import LAST_CLS, EncoderModel
from features.encoders.description.stack import MODULES
from features.encoders.loading import (
    check_shapes,
    check_shows_layers,
    load_transformer,
    running,
    shows_layers,
    takes,
)
from features.encoders.pooling import POOLINGS
from features.encoders.protocol import Enough, OnBatch
from features.encoders.sentences import SentenceEncoder
from features.encoders.text_tokenizer import TextTokenizer
from features.encoders.tokens import TokenizedTexts, joined
from features.machine.hardware import AUTO
from features.vectors import ragged
from features.vectors.block import Block
from features.vectors.precision import encoder_dtype
from features.vectors.ragged import flat_rows, padded
from features.vectors.sizes import expected_tokens
from features.vectors.spec import FeatureSpec
from features.vectors.table import POOLED, SENTENCES

CPU_TOKEN_BUDGET = 2048
"""Tokens per batch on a CPU, padding included; 1,000 to 2,000 were fastest when measured."""

GPU_TOKEN_BUDGET = 65_536

GROUP_TOKENS = 8192
"""Expected tokens per group of texts in windows or sentences; encoding may pause between
groups.
"""


class TransformerEncoder:
    """A transformer on this machine, with its own pooling or sentence-transformers' modules.

    Args:
        model: which encoder.
        device: a torch device; None: a GPU if there is one.
        token_budget: tokens per batch, padding included; None: chosen by the device.
        backend: one of ``names.BACKENDS``.

    Raises:
        EncoderError: the model cannot be loaded, or lacks weights.
        DeviceMemoryError: the model does not fit in the memory of the device.
        SettingError: the back end is not installed, or does not run on the device.

    Attributes:
        backend: what runs the transformer.
        token_budget: halved, and kept so, whenever a batch does not fit in memory.
        unpadded: whether only texts of the same number of tokens share a batch, for models
            whose vectors change with padding; may be set at any time.
    """

    def __init__(
        self,
        model: EncoderModel,
        device: str | None = None,
        token_budget: int | None = None,
        backend: str = AUTO,
    ) -> None:
        self.model = model
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        own = CPU_TOKEN_BUDGET if self.device.type == "cpu" else GPU_TOKEN_BUDGET
        self.token_budget = token_budget or own
        self.unpadded = model.unpadded
        self._chain = Chain(model, self.device) if model.pooling == MODULES else None
        known = None if self._chain else known_of(model, backend, self.device)
        shape = None if self._chain else bert_shape(model)
        segments = True if shape is not None else known and known.segments()
        if self._chain is not None:
            transformer = self._chain.transformer
            self._load: Callable[[], Any] = lambda: transformer
            self._tokenizer = TextTokenizer(model, self._chain.tokenizer, self._chain.tokenized)
        else:
            self._load = cache(partial(load_transformer, model, self.device))
            self._tokenizer = TextTokenizer(model, tokenizer_of(model))
        # Where they are known, transformers loads the model only if it is needed after all.
        self._segments = takes(self._load(), SEGMENTS) if segments is None else segments
        self._shows_layers = segments is not None or shows_layers(self._load())
        # XLNet's memory would carry one batch's hidden states into the next.
        options = {"use_mems": False} if model.family == "xlnet" else {}
        self._torch: Backend = (
            BertBackend(shape, model, self.device)
            if shape is not None
            else TorchBackend(self._load, options)
        )
        name = backend if self._shows_layers else TORCH
        self.backend = make_backend(name, self._torch, self._load, self.device, options, known)
        self._sentences = SentenceEncoder()
        self._limit = batching.BatchLimit()

    def encode(
        self, texts: Sequence[str], specs: Sequence[FeatureSpec], on_batch: OnBatch
    ) -> list[Block]:
        """Return one block per spec; they must agree on precision, prompt and ``max_tokens``.

        All layouts of whole texts come from one forward pass, sentences from one of their own.

        Raises:
            DeviceMemoryError: a text does not fit in memory by itself.
        """
        whole = [spec for spec in specs if spec.layout != SENTENCES]
        _, blocks = self._encode_whole(texts, whole, on_batch)
        done = dict(zip(whole, blocks, strict=True))
        for spec in specs:
            if spec.layout == SENTENCES:
                done[spec] = self._sentences.encode(
                    texts, spec, self._pooled, self._tokenizer.fitted
                )
                on_batch(0 if whole else len(texts), int(done[spec].tokens.sum()))
        return [done[spec] for spec in specs]

    def encode_some(
        self,
        texts: Sequence[str],
        specs: Sequence[FeatureSpec],
        on_batch: OnBatch,
        enough: Enough,
    ) -> tuple[np.ndarray, list[Block]]:
        """Encode texts until ``enough`` returns True; see ``protocol.PausingEncoder``.

        Batches go from the longest text to the shortest, so the remaining batches are the same
        with and without a pause. Texts in windows or sentences are encoded in groups.

        Raises:
            DeviceMemoryError: a text does not fit in memory by itself.
        """
        if all(spec.layout != SENTENCES and not spec.max_tokens for spec in specs):
            return self._encode_whole(texts, specs, on_batch, enough, self._limit)
        expected = np.array([expected_tokens(text) for text in texts])
        done: list[list[Block]] = []
        for part in ragged.slices_by_size(expected, len(texts), GROUP_TOKENS):
            done.append(self.encode(texts[part], specs, on_batch))
            if part.stop < len(texts) and enough(expected[: part.stop].sum() / expected.sum()):
                break
        return np.arange(part.stop), [Block.joined(same) for same in zip(*done, strict=True)]

    def on_torch(self) -> TransformerEncoder:
        """Return an encoder like this one, with shared weights, that runs in torch."""
        twin = copy.copy(self)
        twin.backend = self._torch
        return twin

    def tokens(self, texts: Sequence[str], prompt: str) -> np.ndarray:
        """Return (n,) int32: tokens of each text with the prompt, special tokens included."""
        return self._tokenizer.tokenize(texts, prompt).tokens

    def encode_plain(self, texts: Sequence[str], specs: Sequence[FeatureSpec]) -> list[Block]:
        """Return one block per spec of complete texts, for the probe; it is not counted."""
        return self._encode_whole(texts, specs, lambda count, tokens: None)[1]

    def _encode_whole(
        self,
        texts: Sequence[str],
        specs: Sequence[FeatureSpec],
        on_batch: OnBatch,
        enough: Enough = lambda share: False,
        limit: batching.BatchLimit | None = None,
    ) -> tuple[np.ndarray, list[Block]]:
        """Return the positions of the texts that were encoded, and their block per spec."""
        if not specs:
            return np.arange(len(texts)), []
        (precision,) = {spec.precision for spec in specs}
        ((prompt, max_tokens),) = {(spec.prompt, spec.max_tokens) for spec in specs}
        tokenized = self._tokenizer.tokenize(texts, prompt, max_tokens)
        lengths, starts_text = tokenized.lengths, tokenized.starts_text
        blocks = [tokenized.block(spec, encoder_dtype(spec.dtype)) for spec in specs]
        starts = [np.cumsum(block.lengths) - block.lengths for block in blocks]
        encoded = np.zeros(len(lengths), bool)
        own = [spec for spec in specs if spec.pooling != MODULES]
        layers = sorted({layer for spec in own for layer in spec.layers})
        with torch.no_grad(), self._running(layers, precision) as forward:

            def run(rows: np.ndarray) -> None:
                inputs = self._inputs(tokenized, rows)
                mask = inputs["attention_mask"].bool()
                with running(self.model):
                    hidden = forward(inputs)
                check_shapes(self.model, hidden, mask)
                selected = torch.from_numpy(tokenized.selected(rows, mask.shape[1]))
                selected, cls = selected.to(mask.device), self._cls(inputs)
                for spec, block, start in zip(specs, blocks, starts, strict=True):
                    if spec.pooling == MODULES:
                        vectors = self._by_modules(spec, inputs)
                    else:
                        vectors = self._vectors(spec, hidden, mask, selected, cls)
                    block.values[flat_rows(start[rows], block.lengths[rows])] = vectors
                encoded[rows] = True
                on_batch(int(starts_text[rows].sum()), int(lengths[rows].sum()))

            def describe(row: int) -> str:
                text = texts[tokenized.text[row]]
                return f"a text of {lengths[row]} tokens ({text[:60]!r})"

            self.token_budget = batching.run_batches(
                lengths, self.token_budget, run, describe, self.unpadded, enough, limit
            )
        empty = np.flatnonzero(tokenized.tokens[tokenized.text] == 0)
        for block, start in zip(blocks, starts, strict=True):
            block.values[flat_rows(start[empty], block.lengths[empty])] = np.nan
        every = zip(specs, blocks, strict=True)
        if not encoded.all():  # never in windows: each row is a text
            rows = np.flatnonzero(encoded)
            self._tokenizer.keep_rest(encoded, texts, prompt, tokenized)
            return rows, [joined(block, tokenized, spec).take(rows) for spec, block in every]
        return np.arange(len(texts)), [joined(block, tokenized, spec) for spec, block in every]

    def _running(self, layers: Sequence[int], precision: str) -> AbstractContextManager[Run]:
        if not layers:  # the modules of sentence-transformers run the transformer themselves
            return nullcontext(lambda inputs: {})
        if not self._shows_layers:
            transformer = self._load()
            if transformer is None or list(layers) != [self.model.depth]:
                check_shows_layers(self.model, transformer)
        return self.backend.running(layers, precision)

    def _pooled(self, texts: Sequence[str], spec: FeatureSpec) -> Block:
        _, (block,) = self._encode_whole(texts, [spec], lambda count, tokens: None)
        return block

    def _inputs(self, tokenized: TokenizedTexts, rows: np.ndarray) -> dict[str, Tensor]:
        """Return the inputs of one batch, each (B, T) int64.

        They are padded on the right for every family, whatever its tokenizer says: padding on
        the left would shift absolute positions (BERT), and relative ones (XLNet) depend on the
        mask only.
        """
        tokenizer = self._tokenizer.library
        ids = [tokenized.ids[row] for row in rows]
        inputs = {
            "input_ids": padded(ids, tokenizer.pad_token_id or 0),
            "attention_mask": padded([[1] * len(row) for row in ids], 0),
        }
        if tokenized.types is not None and self._segments:
            types = [tokenized.types[row] for row in rows]
            inputs["token_type_ids"] = padded(types, tokenizer.pad_token_type_id)
        return {name: torch.from_numpy(array).to(self.device) for name, array in inputs.items()}

    def _cls(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return (B, T) bool: the positions of CLS."""
        ids = inputs["input_ids"]
        if self.model.family in LAST_CLS:
            last: Tensor = ids == self._tokenizer.library.cls_token_id
            return last
        first = torch.zeros_like(ids, dtype=torch.bool)
        first[:, 0] = True
        return first

    def _vectors(
        self,
        spec: FeatureSpec,
        hidden: dict[int, Tensor],
        mask: Tensor,
        selected: Tensor,
        cls: Tensor,
    ) -> np.ndarray:
        """Return (rows, D) of one batch in the stored dtype.

        One row per text or window in the pooled layout, else one per selected position.
        """
        states = [hidden[layer] for layer in spec.layers]
        chosen = (states[0] if len(states) == 1 else torch.cat(states, dim=-1)).float()
        if spec.layout != POOLED:
            vectors = chosen[selected]
        else:
            vectors = POOLINGS[spec.pooling](chosen, mask, cls)
        return _stored(vectors, spec)

    def _by_modules(self, spec: FeatureSpec, inputs: dict[str, Tensor]) -> np.ndarray:
        """Return (B, D): pooled vectors from the modules of sentence-transformers."""
        assert self._chain is not None
        return _stored(self._chain.vectors(inputs, spec.prompt, spec.precision), spec)


def load_encoder(
    model: EncoderModel, device: str | None = None, backend: str = AUTO
) -> TransformerEncoder:
    """Load an encoder that ``find_model`` described. Raises like ``TransformerEncoder``."""
    return TransformerEncoder(model, device, backend=backend)


def _stored(vectors: Tensor, spec: FeatureSpec) -> np.ndarray:
    if spec.normalize:
        vectors = torch.nn.functional.normalize(vectors.float(), dim=-1)
    array: np.ndarray = vectors.float().cpu().numpy()
    with np.errstate(over="ignore"):  # an overflow becomes infinite; the stage refuses it
        return array.astype(encoder_dtype(spec.dtype))
