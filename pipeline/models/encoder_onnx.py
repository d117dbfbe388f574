"""An encoder as one ONNX graph: token ids in, out the vectors that a head reads.

    input_ids, attention_mask [, token_type_ids] (texts, tokens) int64
        ->  vectors (texts, vectors, D) float32, rounded as the vectors of the training

Only this module asks torch for the graph of a transformer; ``heads.persistence.onnx_export``
does the same for heads.
"""

from __future__ import annotations

from typing import Any

import torch

from features.encoders.description.model import LAST_CLS, EncoderModel
from features.encoders.description.stack import MODULES
from features.encoders.loading import load_tokenizer, load_transformer, running, takes
from features.encoders.pooling import POOLINGS
from features.errors import SettingError
from features.vectors.precision import STEPS
from features.vectors.spec import FeatureSpec
from features.vectors.table import POOLED, SENTENCES
from heads.persistence.onnx_export import import_onnxscript, quiet, without_traces

VECTORS = "vectors"
CPU = torch.device("cpu")


def check_exportable(spec: FeatureSpec, name: str) -> None:
    """Refuse vectors that one graph does not give. Raises ``SettingError``."""
    reason = ""
    if spec.layout == SENTENCES:
        reason = f"the layout {SENTENCES} needs a sentence splitter"
    elif spec.max_tokens:
        reason = f"its texts are encoded in windows (--max-tokens {spec.max_tokens})"
    elif spec.pooling == MODULES:
        reason = f"the encoder {name!r} pools by modules of sentence-transformers"
    if reason:
        raise SettingError(
            f"--with-encoder cannot write this run: {reason}; leave the option out, or train "
            "without that"
        )


class VectorModule(torch.nn.Module):
    """A transformer with what makes the vectors of a spec of its hidden states.

    Args:
        transformer: of the model.
        spec: of the vectors.
        model: which encoder.
        cls: id of its CLS token.
    """

    def __init__(
        self, transformer: Any, spec: FeatureSpec, model: EncoderModel, cls: int
    ) -> None:
        super().__init__()
        self.transformer, self.spec = transformer, spec
        self.last_cls = cls if model.family in LAST_CLS else None
        self.options = {"use_mems": False} if model.family == "xlnet" else {}

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        token_type_ids: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return (texts, vectors, D) float32; one vector per text in the pooled layout."""
        types = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        states = self.transformer(
            input_ids=input_ids,
            attention_mask=attention_mask,
            output_hidden_states=True,
            **types,
            **self.options,
        ).hidden_states
        chosen = torch.cat([states[layer] for layer in self.spec.layers], dim=-1)
        if self.spec.layout == POOLED:
            pool = POOLINGS[self.spec.pooling]
            chosen = pool(chosen, attention_mask.bool(), self._cls(input_ids)).unsqueeze(1)
        if self.spec.normalize:
            chosen = torch.nn.functional.normalize(chosen, dim=-1)
        return _as_stored(chosen, self.spec.dtype)

    def _cls(self, ids: torch.Tensor) -> torch.Tensor:
        """Return (texts, tokens) bool: the positions of CLS."""
        if self.last_cls is not None:
            return ids == self.last_cls
        return torch.arange(ids.shape[1]).expand_as(ids) == 0


def _as_stored(vectors: torch.Tensor, dtype: str) -> torch.Tensor:
    """Return float32 vectors rounded as a cache stores them; see ``features.vectors``."""
    if dtype == "float16":
        return vectors.half().float()
    if dtype == "int8":
        scale = vectors.abs().amax(dim=-1, keepdim=True) / STEPS
        steps = (vectors / torch.where(scale > 0, scale, 1.0)).round().clamp(-STEPS, STEPS)
        return (scale * steps).half().float()
    return vectors


def encoder_onnx(model: EncoderModel, spec: FeatureSpec) -> tuple[bytes, bytes]:
    """Return an encoder as the bytes of an ONNX file, and its tokenizer as those of a JSON.

    Args:
        model: the encoder.
        spec: of the vectors that the graph gives, in float32 precision.

    Raises:
        SettingError: the extra is not installed, or the encoder has something that ONNX or the
            package tokenizers do not have.
        EncoderError: it cannot be loaded.
    """
    check_exportable(spec, model.name)
    import_onnxscript()
    tokenizer, transformer = load_tokenizer(model), load_transformer(model, CPU)
    if not tokenizer.is_fast:
        raise SettingError(
            f"--with-encoder needs a tokenizer of the package tokenizers, which the encoder "
            f"{model.name!r} has not; leave the option out"
        )
    if hasattr(transformer, "set_attn_implementation"):
        transformer.set_attn_implementation("eager")  # the others need operations of torch
    with running(model):
        example = tokenizer(["a b c", "d e f"], padding=True, return_tensors="pt")
    names = ["input_ids", "attention_mask"]
    if "token_type_ids" in example and takes(transformer, "token_type_ids"):
        names.append("token_type_ids")
    module = VectorModule(transformer, spec, model, tokenizer.cls_token_id or 0).eval()
    shape = {0: torch.export.Dim("texts"), 1: torch.export.Dim("tokens")}
    example["attention_mask"] = torch.ones_like(example["input_ids"])
    try:
        with quiet(), torch.no_grad():
            program = torch.onnx.export(
                module,
                tuple(example[name] for name in names),
                input_names=names,
                output_names=[VECTORS],
                dynamic_shapes=tuple(shape for _ in names),
                dynamo=True,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise SettingError(
            f"the encoder {model.name!r} ({model.family}) cannot be written as ONNX "
            f"({reason}); leave --with-encoder out"
        ) from error
    assert program is not None  # what the annotation allows for dynamo=False
    return without_traces(program.model_proto), _tokenizer_json(tokenizer)


def _tokenizer_json(tokenizer: Any) -> bytes:
    """Return a tokenizer as the package tokenizers reads it, cutting and padding nothing."""
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    text: str = backend.to_str(pretty=False)
    return text.encode()
