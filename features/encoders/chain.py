"""Chain: a model run by sentence-transformers, with its own preprocessing and modules.

It is used only for models whose pooling is not proven equal to this project's
(``features.encoders.description.stack``). Batches, windows and precision are this project's in
both cases.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import transformers
from torch import Tensor

from features.encoders.description.files import read_object
from features.encoders.description.limits import ENDLESS, POSITIONS
from features.encoders.description.model import EncoderModel
from features.encoders.loading import check_complete, loading, running, steady
from features.encoders.tokens import Ids
from features.errors import EncoderError
from features.messages import listed

AT_ONCE = 64
"""Texts that are tokenized together; the library pads them to the longest."""

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
UNCUT = {part: {"truncation": False, "max_length": None} for part in ("text", "common")}


def load_library(model: EncoderModel, device: str) -> Any:
    """Return the ``SentenceTransformer`` of a model, in float32 on a device.

    Raises:
        EncoderError: it cannot be loaded.
        DeviceMemoryError: it does not fit in the memory of the device.
    """
    with loading(model, torch.device(device)):
        # Imported here alone: 2 seconds, and only unusual models need it.
        from sentence_transformers import SentenceTransformer

        whole = SentenceTransformer(
            str(model.folder),
            device=device,
            local_files_only=True,
            trust_remote_code=model.trust_remote_code,
            model_kwargs={"dtype": torch.float32, "use_safetensors": True},
        )
        tokenizer = whole.tokenizer
        if not isinstance(tokenizer, transformers.PreTrainedTokenizerBase):
            raise EncoderError(
                f"the encoder {model.name!r} has no tokenizer of transformers, so its texts "
                "cannot be batched here; choose another with --encoder"
            )
        if tokenizer.pad_token is None:  # which the library wants even of one text alone
            tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
        _check_limit(model, tokenizer.model_max_length)
        # Where the library has no limit, or one beyond what the model can take.
        tokenizer.model_max_length = min(tokenizer.model_max_length, model.max_length)
        steady(whole.float().eval()[0])
        return whole


class Chain:
    """sentence-transformers' modules of one model.

    Args:
        model: which encoder.
        device: a torch device.

    Raises:
        EncoderError: it cannot be loaded, or lacks weights.
        DeviceMemoryError: it does not fit in the memory of the device.

    Attributes:
        tokenizer: the library's.
        transformer: the transformer inside; None where its code is the model's own and shows
            none.
    """

    def __init__(self, model: EncoderModel, device: torch.device) -> None:
        self._model = model
        self._whole = load_library(model, str(device))
        self.tokenizer = self._whole.tokenizer
        inner = getattr(self._whole[0], "model", getattr(self._whole[0], "auto_model", None))
        known = isinstance(inner, transformers.PreTrainedModel)
        self.transformer = inner if known else None
        self._extras: dict[str, dict[str, Any]] = {}
        if known:
            with loading(model, device):
                self._check_complete(inner)

    def _check_complete(self, inner: Any) -> None:
        """Load a second time to see which weights are missing, which the library does not
        report.
        """
        _, report = type(inner).from_pretrained(
            self._model.transformer,
            config=inner.config,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=self._model.trust_remote_code,
            output_loading_info=True,
        )
        pooler = "pooler_output" in str(getattr(self._whole[0], "modality_config", ""))
        check_complete(self._model, report["missing_keys"], ignored="" if pooler else "pooler.")

    def tokenized(
        self, texts: Sequence[str], prompt: str, *, cut: bool
    ) -> tuple[Ids, Ids | None]:
        """Return token ids of each text behind a prompt, and segment ids where the model has
        them.

        Args:
            cut: whether at the library's limit, or not at all.

        Raises:
            EncoderError: the preprocessing fails, or gives more than tokens.
        """
        ids: Ids = []
        types: Ids | None = None
        for start in range(0, len(texts), AT_ONCE):
            features = self._preprocess(list(texts[start : start + AT_ONCE]), prompt, cut)
            kept = features["attention_mask"].bool()
            ids += [
                row[own].tolist() for row, own in zip(features["input_ids"], kept, strict=True)
            ]
            if "token_type_ids" in features:
                rows = zip(features["token_type_ids"], kept, strict=True)
                types = (types or []) + [row[own].tolist() for row, own in rows]
        return ids, types

    def _preprocess(self, texts: list[str], prompt: str, cut: bool) -> dict[str, Any]:
        with running(self._model):
            try:
                options = {} if cut else {"processing_kwargs": UNCUT}
                features = dict(self._whole.preprocess(texts, prompt=prompt or None, **options))
            except TypeError:  # a class of the model's own that has no such option
                features = dict(self._whole.preprocess(texts, prompt=prompt or None))
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

        The transformer computes in ``precision``, the modules behind it in float32.

        Raises:
            EncoderError: a module fails, or none gives a pooled vector.
        """
        kind = next(iter(inputs.values())).device.type
        first, *behind = self._whole
        with running(self._model):
            features = {**inputs, **self._extras[prompt]}
            with torch.autocast(kind, torch.bfloat16, enabled=precision == "bfloat16"):
                features = first(features)
            with torch.autocast(kind, enabled=False):
                features = {key: _exact(value) for key, value in features.items()}
                for module in behind:
                    features = module(features)
            vectors: Tensor = features["sentence_embedding"][..., : self._whole.truncate_dim]
        if vectors.shape[-1] != self._model.pooled_width:
            raise EncoderError(
                f"the encoder {self._model.name!r} gives {vectors.shape[-1]} numbers per "
                f"vector, where its configuration says {self._model.pooled_width}; choose "
                "another with --encoder"
            )
        return vectors


def _check_limit(model: EncoderModel, limit: int) -> None:
    """Refuse a limit that stands in no file, but in the code of the model's class."""
    stated = read_object(model.transformer / "config.json", model.name)
    if model.max_length < limit < ENDLESS and not any(stated.get(key) for key in POSITIONS):
        raise EncoderError(
            f"config.json of the encoder {model.name!r} does not say how many tokens it sees, "
            f'and its library takes {limit}: write "max_position_embeddings": {limit} into it'
        )


def _exact(value: Any) -> Any:
    """Return bfloat16 tensors as float32, and anything else unchanged."""
    if isinstance(value, tuple):
        return tuple(map(_exact, value))
    return value.float() if isinstance(value, Tensor) and value.is_floating_point() else value
