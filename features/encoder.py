"""Encoders: texts in, vectors of any number of specs out, in one forward pass.

Here texts become tokens and batches, and hidden states become vectors in the texts' order;
between the two stands a back end (``features.backends``).

This is the only module of the project that imports transformers, and it is imported only
when something has to be encoded.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import transformers
from safetensors import SafetensorError
from torch import Tensor

from features.backends import Run, TorchBackend, make_backend
from features.batching import out_of_memory, run_batches
from features.encoding import OnBatch
from features.errors import DeviceMemoryError, EncoderError, listed
from features.model import EncoderModel
from features.pieces import Frame, Pieces, joined, windowed
from features.pooling import POOLINGS
from features.precision import encoder_dtype
from features.processor import AUTO
from features.segments import SPARE_TOKENS, windows
from features.sentences import SentenceEncoder
from features.shard import Block
from features.spec import FeatureSpec
from features.table import POOLED, SENTENCES

CPU_TOKEN_BUDGET = 2048
"""Tokens a batch on a processor: DESIGN.md measured 1,000 to 2,000 as the best; the texts
are sorted, so that a batch of short ones still fills the matrix products."""

GPU_TOKEN_BUDGET = 65_536


class TransformerEncoder:
    """A transformer on this machine, with its own pooling or sentence-transformers' modules.

    Args:
        model: which encoder.
        device: a torch device; None takes a GPU where there is one.
        token_budget: tokens a batch, padding included; None chooses by device.
        backend: one of ``processor.BACKENDS``.

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
        on_gpu = self.device.type != "cpu"
        self.token_budget = token_budget or (GPU_TOKEN_BUDGET if on_gpu else CPU_TOKEN_BUDGET)
        self.unpadded = False
        self._tokenizer, self._transformer = _load(model)
        _move(self._transformer, self.device, model)
        # XLNet's memory would carry one batch's hidden states into the next.
        self._options = {"use_mems": False} if model.family == "xlnet" else {}
        self.backend = make_backend(backend, self._transformer, self._options)
        self._modules = _load_modules(model, self.device) if model.pooling == "modules" else []
        self._sentences = SentenceEncoder(self._pooled, self._fitted)

    def encode(
        self, texts: Sequence[str], specs: Sequence[FeatureSpec], on_batch: OnBatch
    ) -> list[Block]:
        """One block a spec; they must agree on precision, prompt and ``max_tokens``.

        All layouts of whole texts come from one forward pass, sentences from one of their own.

        Raises:
            DeviceMemoryError: a text does not fit in memory by itself.
        """
        whole = [spec for spec in specs if spec.layout != SENTENCES]
        done = dict(zip(whole, self._encode_whole(texts, whole, on_batch), strict=True))
        for spec in specs:
            if spec.layout == SENTENCES:
                done[spec] = self._sentences.encode(texts, spec)
                on_batch(0 if whole else len(texts), int(done[spec].tokens.sum()))
        return [done[spec] for spec in specs]

    def on_torch(self) -> TransformerEncoder:
        """An encoder that shares everything with this one but the back end, which is torch."""
        twin = copy.copy(self)
        twin.backend = TorchBackend(self._transformer, self._options)
        return twin

    def tokens(self, texts: Sequence[str], prompt: str) -> np.ndarray:
        """(n,) int32: tokens of each whole text behind a prompt, special ones included."""
        return self._tokenize(texts, prompt).tokens

    def encode_plain(self, texts: Sequence[str], specs: Sequence[FeatureSpec]) -> list[Block]:
        """One block a spec of whole texts, for the probe, which counts as no encoding."""
        return self._encode_whole(texts, specs, lambda count, tokens: None)

    def _encode_whole(
        self, texts: Sequence[str], specs: Sequence[FeatureSpec], on_batch: OnBatch
    ) -> list[Block]:
        if not specs:
            return []
        (precision,) = {spec.precision for spec in specs}
        ((prompt, most),) = {(spec.prompt, spec.max_tokens) for spec in specs}
        pieces = self._tokenize(texts, prompt, most)
        lengths, opening = pieces.lengths, pieces.opening
        blocks = [pieces.block(spec, encoder_dtype(spec.dtype)) for spec in specs]
        starts = [np.cumsum(block.lengths) - block.lengths for block in blocks]
        layers = sorted({layer for spec in specs for layer in spec.layers})
        with torch.no_grad(), self.backend.running(layers, precision) as forward:

            def run(rows: np.ndarray) -> None:
                hidden, mask, cls = self._forward(pieces, rows, forward)
                kept = _kept(pieces, rows, mask)
                for spec, block, start in zip(specs, blocks, starts, strict=True):
                    vectors = self._vectors(spec, hidden, mask, kept, cls)
                    block.values[_places(start[rows], block.lengths[rows])] = vectors
                on_batch(int(opening[rows].sum()), int(lengths[rows].sum()))

            def describe(row: int) -> str:
                text = texts[pieces.text[row]]
                return f"a text of {lengths[row]} tokens ({text[:60]!r})"

            self.token_budget = run_batches(
                lengths, self.token_budget, run, describe, self.unpadded
            )
        empty = np.flatnonzero(pieces.tokens[pieces.text] == 0)
        for block, start in zip(blocks, starts, strict=True):
            block.values[_places(start[empty], block.lengths[empty])] = np.nan
        return [joined(block, pieces, spec) for spec, block in zip(specs, blocks, strict=True)]

    def _pooled(self, texts: Sequence[str], spec: FeatureSpec) -> Block:
        (block,) = self._encode_whole(texts, [spec], lambda count, tokens: None)
        return block

    def _fitted(self, texts: Sequence[str], prompt: str) -> list[list[str]]:
        """Each text as pieces that the encoder sees whole: itself, or overlapping windows."""
        prompted = [prompt + text for text in texts]
        ids = self._tokenizer(prompted, return_attention_mask=False, verbose=False)["input_ids"]
        specials = self._tokenizer.num_special_tokens_to_add() + SPARE_TOKENS
        spare = specials + (len(self._tokenizer.tokenize(prompt)) if prompt else 0)
        most = max(1, self.model.max_length - spare)
        return [
            [text]
            if len(row) <= self.model.max_length
            else windows(text, self._places(text), most)
            for text, row in zip(texts, ids, strict=True)
        ]

    def _places(self, text: str) -> list[tuple[int, int]]:
        """Where each token begins and ends, in characters."""
        if not self._tokenizer.is_fast:
            return [(place, place + 1) for place in range(len(text))]
        return list(
            self._tokenizer(
                text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
            )["offset_mapping"]
        )

    def _tokenize(self, texts: Sequence[str], prompt: str, most: int = 0) -> Pieces:
        """The texts as the model sees them: cut, or with ``most`` above 0 in windows."""
        prompted = [prompt + text for text in texts]
        whole = self._tokenizer(prompted, return_attention_mask=False, verbose=False)
        ids, types = whole["input_ids"], whole.get("token_type_ids")
        tokens = np.array([len(row) for row in ids], dtype=np.int32)
        long = np.flatnonzero(tokens > self.model.max_length).tolist()
        if long and not most:
            cut = self._tokenizer(
                [prompted[row] for row in long],
                truncation=True,
                max_length=self.model.max_length,
                return_attention_mask=False,
                verbose=False,
            )
            for place, row in enumerate(long):
                ids[row] = cut["input_ids"][place]
                if types is not None:
                    types[row] = cut["token_type_ids"][place]
        for row in np.flatnonzero(tokens == 0).tolist():
            # Nothing to see: a padding token keeps its place, and its vector is refused.
            ids[row] = [self._tokenizer.pad_token_id or 0]
            if types is not None:
                types[row] = [0]
        pieces = Pieces.uncut(ids, types, tokens)
        if long and most:
            frame = self._frame(prompted[long[0]], prompt)
            pieces = windowed(pieces, frame, self.model.max_length, most)
        return pieces

    def _frame(self, text: str, prompt: str) -> Frame:
        """What stands around every text, read off one that has tokens of its own."""
        special = self._tokenizer(text, return_special_tokens_mask=True, verbose=False)
        mask = special["special_tokens_mask"]
        head, tail = mask.index(0), mask[::-1].index(0)
        # White space at the prompt's end belongs to the first word behind it.
        taken = len(self._tokenizer.tokenize(prompt.rstrip()))
        if head + tail + taken >= self.model.max_length:
            raise EncoderError(
                f"the prompt of the encoder {self.model.name!r} takes all of the "
                f"{self.model.max_length} tokens that it sees; shorten it"
            )
        return Frame(head, tail, taken)

    def _forward(
        self, pieces: Pieces, rows: np.ndarray, forward: Run
    ) -> tuple[dict[int, Tensor], Tensor, Tensor]:
        """One batch's hidden states by layer, mask, and where CLS stands (both (B, T) bool)."""
        tokenizer = self._tokenizer
        picked = [pieces.ids[row] for row in rows]
        ids = _padded(picked, tokenizer.pad_token_id or 0)
        mask = _padded([[1] * len(row) for row in picked], 0)
        inputs = {
            "input_ids": ids.to(self.device),
            "attention_mask": mask.to(self.device),
        }
        if pieces.types is not None:
            types = [pieces.types[row] for row in rows]
            padded = _padded(types, tokenizer.pad_token_type_id)
            inputs["token_type_ids"] = padded.to(self.device)
        cls: Tensor = inputs["input_ids"] == tokenizer.cls_token_id
        return forward(inputs), inputs["attention_mask"].bool(), cls

    def _vectors(
        self,
        spec: FeatureSpec,
        hidden: dict[int, Tensor],
        mask: Tensor,
        kept: Tensor,
        cls: Tensor,
    ) -> np.ndarray:
        """(rows, D) of one batch in the stored dtype: a row a piece, or a row a token kept."""
        states = [hidden[layer] for layer in spec.layers]
        chosen = (states[0] if len(states) == 1 else torch.cat(states, dim=-1)).float()
        if spec.layout != POOLED:
            vectors = chosen[kept]
        elif spec.pooling == "modules":
            vectors = self._by_modules(chosen, mask)
        else:
            vectors = POOLINGS[spec.pooling](chosen, mask, cls)
        if spec.normalize:
            vectors = torch.nn.functional.normalize(vectors.float(), dim=-1)
        array: np.ndarray = vectors.float().cpu().numpy()
        with np.errstate(over="ignore"):  # an overflow becomes infinite; the stage refuses it
            return array.astype(encoder_dtype(spec.dtype))

    def _by_modules(self, hidden: Tensor, mask: Tensor) -> Tensor:
        features: dict[str, Any] = {"token_embeddings": hidden, "attention_mask": mask.long()}
        with torch.autocast(self.device.type, enabled=False):
            for module in self._modules:
                features = module(features)
        vectors: Tensor = features["sentence_embedding"]
        return vectors


def load_encoder(
    model: EncoderModel, device: str | None = None, backend: str = AUTO
) -> TransformerEncoder:
    """Load an encoder that ``find_model`` described. Raises as ``TransformerEncoder``."""
    return TransformerEncoder(model, device, backend=backend)


def _load(model: EncoderModel) -> tuple[Any, Any]:
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    # The Rust tokenizer runs its own threads; torch's threads are not forked here.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            model.transformer,
            local_files_only=True,
            trust_remote_code=model.trust_remote_code,
        )
        transformer, report = transformers.AutoModel.from_pretrained(
            model.transformer,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=model.trust_remote_code,  # None would ask on the terminal
            dtype=torch.float32,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        first = (
            str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        )
        raise EncoderError(
            f"the encoder {model.name!r} in {model.transformer} cannot be loaded: {first}; "
            f"{_remedy(model)}"
        ) from error
    lacking = sorted(key for key in report["missing_keys"] if not key.startswith("pooler."))
    if lacking:
        raise EncoderError(
            f"the encoder {model.name!r} lacks {len(lacking)} weights ({listed(lacking, 3)}), "
            "which would be random: save the whole model again with save_pretrained"
        )
    # Counted lengths are the whole text's; the cut is made here, where it is counted.
    tokenizer.model_max_length = 10**9
    return tokenizer, transformer.eval()


def _move(transformer: Any, device: torch.device, model: EncoderModel) -> None:
    try:
        transformer.to(device)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise DeviceMemoryError(
            f"the encoder {model.name!r} does not fit in the free memory of {device}; free "
            "some memory, or encode on another device (manyheads features --devices cpu)"
        ) from error


def _remedy(model: EncoderModel) -> str:
    if not model.trust_remote_code and any(model.transformer.glob("*.py")):
        return (
            "it comes with Python code of its own, which is not run: pass --trust-remote-code "
            "if you have read it and trust it"
        )
    return "copy it again, or choose another with --encoder"


def _load_modules(model: EncoderModel, device: torch.device) -> list[Any]:
    """The modules behind the transformer, in sentence-transformers' own code."""
    # Imported here alone: 2 seconds, and only models with unusual modules need it.
    from sentence_transformers import SentenceTransformer

    whole = SentenceTransformer(
        str(model.folder),
        device=str(device),
        local_files_only=True,
        trust_remote_code=model.trust_remote_code,
    )
    return list(whole.eval())[1:]


def _kept(pieces: Pieces, rows: np.ndarray, mask: Tensor) -> Tensor:
    """(B, T) bool: the places of a batch, padded on the right, that give vectors."""
    places = np.arange(mask.shape[1])
    kept = (places >= pieces.first[rows, None]) & (places < pieces.last[rows, None])
    return torch.from_numpy(kept).to(mask.device)


def _places(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Rows of the flat values that the texts own: all of the first, all of the second, ..."""
    before = np.cumsum(lengths) - lengths
    places: np.ndarray = np.arange(lengths.sum()) + np.repeat(starts - before, lengths)
    return places


def _padded(rows: list[list[int]], value: int) -> Tensor:
    """(B, T) int64: rows of different lengths, filled up with ``value`` on the right.

    On the right for every family, whatever side its tokenizer names: absolute positions
    (BERT) would shift on the left, relative ones (XLNet) see only the mask.
    """
    longest = max(len(row) for row in rows)
    out = np.full((len(rows), longest), value, dtype=np.int64)
    for place, row in enumerate(rows):
        out[place, : len(row)] = row
    return torch.from_numpy(out)
