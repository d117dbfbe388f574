"""Chain: a model run by sentence-transformers, with its own preprocessing and modules.

Only models need it whose pooling this project does not compute itself
(``features.encoders.description.stack``). Batches, windows and precision work the same for all
models.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from features.encoders.description.files import read_object
from features.encoders.description.limits import ENDLESS, POSITIONS
from features.encoders.description.model import EncoderModel
from features.encoders.loading import check_complete, copy_weights, loading, running, steady
from features.encoders.tokens import Ids
from features.errors import EncoderError
from features.messages import listed

BATCH_TEXTS = 64
"""Texts that are tokenized together; the library pads them to the longest of them."""

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
WITHOUT_TRUNCATION = {
    part: {"truncation": False, "max_length": None} for part in ("text", "common")
}


def load_library(model: EncoderModel, device: str) -> Any:
    """Return the ``SentenceTransformer`` of a model, in float32 on a device.

    Raises:
        EncoderError: it cannot be loaded.
        DeviceMemoryError: it does not fit in the memory of the device.
    """
    with loading(model, torch.device(device)):
        # Imported only here: it takes 2 seconds, and only unusual models need it.
        from sentence_transformers import SentenceTransformer
        from transformers import PreTrainedTokenizerBase

        library = SentenceTransformer(
            str(model.folder),
            device=device,
            local_files_only=True,
            trust_remote_code=model.trust_remote_code,
            model_kwargs={"dtype": torch.float32, "use_safetensors": True},
        )
        tokenizer = library.tokenizer
        if not isinstance(tokenizer, PreTrainedTokenizerBase):
            raise EncoderError(
                f"the encoder {model.name!r} has no tokenizer of transformers, so its texts "
                "cannot be batched here; choose another with --encoder"
            )
        if tokenizer.pad_token is None:  # which the library needs even for a single text
            tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
        _check_limit(model, tokenizer.model_max_length)
        # The library may have no limit, or one above what the model can take.
        tokenizer.model_max_length = min(tokenizer.model_max_length, model.max_length)
        steady(library.float().eval()[0])
        copy_weights(library)
        return library


class Chain:
    """sentence-transformers' modules of one model.

    Args:
        model: which encoder.
        device: a torch device.

    Raises:
        EncoderError: it cannot be loaded, or weights are missing.
        DeviceMemoryError: it does not fit in the memory of the device.

    Attributes:
        tokenizer: the library's.
        transformer: the transformer inside; None if the model's own code does not show it.
    """

    def __init__(self, model: EncoderModel, device: torch.device) -> None:
        self._model = model
        self._library = load_library(model, str(device))
        from transformers import PreTrainedModel  # which this library imports

        self.tokenizer = self._library.tokenizer
        inner = getattr(
            self._library[0], "model", getattr(self._library[0], "auto_model", None)
        )
        known = isinstance(inner, PreTrainedModel)
        self.transformer = inner if known else None
        self._extras: dict[str, dict[str, Any]] = {}
        if known:
            with loading(model, device):
                self._check_complete(inner)

    def _check_complete(self, inner: Any) -> None:
        """Load the model again to see which weights are missing: the library does not say."""
        _, report = type(inner).from_pretrained(
            self._model.transformer,
            config=inner.config,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=self._model.trust_remote_code,
            output_loading_info=True,
        )
        pooler = "pooler_output" in str(getattr(self._library[0], "modality_config", ""))
        check_complete(self._model, report["missing_keys"], ignored="" if pooler else "pooler.")

    def tokenized(
        self, texts: Sequence[str], prompt: str, *, cut: bool
    ) -> tuple[Ids, Ids | None]:
        """Return the token ids of each text after a prompt, and segment ids if there are any.

        Args:
            cut: whether to truncate at the library's limit; False: not at all.

        Raises:
            EncoderError: the preprocessing fails, or gives more than tokens.
        """
        ids: Ids = []
        types: Ids | None = None
        for start in range(0, len(texts), BATCH_TEXTS):
            features = self._preprocess(list(texts[start : start + BATCH_TEXTS]), prompt, cut)
            masks = features["attention_mask"].bool()
            ids += _unpadded(features["input_ids"], masks)
            if "token_type_ids" in features:
                types = (types or []) + _unpadded(features["token_type_ids"], masks)
        return ids, types

    def _preprocess(self, texts: list[str], prompt: str, cut: bool) -> dict[str, Any]:
        with running(self._model):
            try:
                options = {} if cut else {"processing_kwargs": WITHOUT_TRUNCATION}
                features = dict(
                    self._library.preprocess(texts, prompt=prompt or None, **options)
                )
            except TypeError:  # a class of the model itself, without that option
                features = dict(self._library.preprocess(texts, prompt=prompt or None))
            tensors = {key for key, value in features.items() if isinstance(value, Tensor)}
            if "input_ids" not in tensors or not tensors <= set(INPUTS):
                raise EncoderError(
                    f"the encoder {self._model.name!r} makes {listed(sorted(tensors))} of "
                    "texts, and only token ids can be batched here; choose another"
                )
            features.setdefault("attention_mask", torch.ones_like(features["input_ids"]))
            self._extras[prompt] = {
                key: value for key, value in features.items() if key not in tensors
            }
            self._extras[prompt].pop("attention_mask", None)
            return features

    def vectors(self, inputs: dict[str, Tensor], prompt: str, precision: str) -> Tensor:
        """Return (B, D): the pooled vectors of a batch of token ids, padded on the right.

        The transformer computes in ``precision``, the modules after it in float32.

        Raises:
            EncoderError: a module fails, or none gives a pooled vector.
        """
        kind = next(iter(inputs.values())).device.type
        first, *others = self._library
        with running(self._model):
            features = {**inputs, **self._extras[prompt]}
            with torch.autocast(kind, torch.bfloat16, enabled=precision == "bfloat16"):
                features = first(features)
            with torch.autocast(kind, enabled=False):
                features = {key: _exact(value) for key, value in features.items()}
                for module in others:
                    features = module(features)
            vectors: Tensor = features["sentence_embedding"][..., : self._library.truncate_dim]
        if vectors.shape[-1] != self._model.pooled_width:
            raise EncoderError(
                f"the encoder {self._model.name!r} gives {vectors.shape[-1]} numbers per "
                f"vector, where its configuration says {self._model.pooled_width}; choose "
                "another with --encoder"
            )
        return vectors


def _check_limit(model: EncoderModel, limit: int) -> None:
    """Refuse a limit that only the code of the model's class states, and no file."""
    stated = read_object(model.transformer / "config.json", model.name)
    if model.max_length < limit < ENDLESS and not any(stated.get(key) for key in POSITIONS):
        raise EncoderError(
            f"config.json of the encoder {model.name!r} does not say how many tokens it sees, "
            f'and its library takes {limit}: write "max_position_embeddings": {limit} into it'
        )


def _unpadded(rows: Tensor, masks: Tensor) -> Ids:
    """Return the rows of (B, T) without padding, which masks (B, T) leave out."""
    return [row[mask].tolist() for row, mask in zip(rows, masks, strict=True)]


def _exact(value: Any) -> Any:
    """Return bfloat16 tensors as float32, and anything else unchanged."""
    if isinstance(value, tuple):
        return tuple(map(_exact, value))
    return value.float() if isinstance(value, Tensor) and value.is_floating_point() else value
