"""The back end that runs BERT and RoBERTa in PyTorch without transformers.

    bert_shape(model)      what config.json and the header of its weights say; loads nothing
    BertBackend(...)       loads the weights when it first runs

Importing transformers takes 2 s, longer than encoding some hundred texts. Most sentence
encoders are of these two families, whose forward pass is short (Devlin et al., BERT, 2019,
arXiv:1810.04805). Its operations are those of transformers in the same order, so the hidden
states have the same bits: the tests compare them, and the probe of a new space compares with
the library, too. A model with anything unusual in its files is left to transformers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.nn import functional

from features.encoders.backends.base import Inputs, Run
from features.encoders.backends.names import TORCH
from features.encoders.description.files import read_object
from features.encoders.description.model import EncoderModel
from features.encoders.loading import translated

PREFIXES = {"bert": "bert", "roberta": "roberta", "xlm-roberta": "roberta"}
"""By family, what precedes the names of weights that were saved below a language model."""

PADDED_POSITIONS = frozenset({"roberta", "xlm-roberta"})
"""Families that count positions from behind the number of the padding token."""

USUAL: dict[str, tuple[object, ...]] = {
    "hidden_act": ("gelu",),
    "position_embedding_type": ("absolute", None),
    "is_decoder": (False, None),
    "add_cross_attention": (False, None),
    "chunk_size_feed_forward": (0, None),
    "pruned_heads": ({}, None),
    "quantization_config": (None,),
    "auto_map": (None,),
    "attn_implementation": (None,),
    "_attn_implementation": (None,),
}
"""Entries of config.json that change the forward pass, and the values that are run here."""

SIZES = (
    "vocab_size",
    "max_position_embeddings",
    "type_vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
)

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
FLOATS = frozenset({"F32", "F16", "BF16"})
EMBEDDINGS = ("word", "position", "token_type")
PARTS = ("weight", "bias")


@dataclass(frozen=True)
class BertShape:
    """What the forward pass of a model needs to know beside its weights.

    Attributes:
        layers: number of layers.
        heads: attention heads per layer.
        epsilon: of the layer normalisation.
        padding: number of the token from behind which positions count; None: they begin at 0.
        prefix: of the names of its weights, such as ``bert.``, or ''.
    """

    layers: int
    heads: int
    epsilon: float
    padding: int | None
    prefix: str


def bert_shape(model: EncoderModel) -> BertShape | None:
    """Return the shape of a BERT or RoBERTa; None of other models, and of unusual ones.

    Reads config.json and the header of the weights, which must have the names and shapes that
    follow from it.
    """
    if model.family not in PREFIXES or model.trust_remote_code:
        return None
    config = read_object(model.transformer / "config.json", model.name)
    sizes = [size for name in SIZES if type(size := config.get(name)) is int and size > 0]
    if len(sizes) < len(SIZES) or any(config.get(name) not in USUAL[name] for name in USUAL):
        return None
    *_, width, _, layers, heads = sizes
    padding = config.get("pad_token_id", 1) if model.family in PADDED_POSITIONS else None
    epsilon = config.get("layer_norm_eps", 1e-12)
    if width % heads or not isinstance(epsilon, float) or not isinstance(padding, int | None):
        return None
    stored, expected = _stored(model.transformer), dict(_expected(*sizes[:-1]))
    for prefix in ("", f"{PREFIXES[model.family]}."):
        if all(stored.get(prefix + name) == expected[name] for name in expected):
            return BertShape(layers, heads, epsilon, padding, prefix)
    return None


def _stored(folder: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the weights in a folder by name, without any that are not floats;
    {} if they are in several files, or cannot be read."""
    if (folder / INDEX).exists() or len([*folder.glob("model*.safetensors")]) != 1:
        return {}
    try:
        with safe_open(folder / WEIGHTS, "pt") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            return {
                name: tuple(each.get_shape())
                for name, each in slices.items()
                if each.get_dtype() in FLOATS
            }
    except (OSError, SafetensorError):
        return {}


def _expected(
    vocabulary: int, positions: int, types: int, width: int, wide: int, layers: int
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the names of the weights, and their shapes."""
    for name, rows in zip(EMBEDDINGS, (vocabulary, positions, types), strict=True):
        yield f"embeddings.{name}_embeddings.weight", (rows, width)
    dense = {
        "attention.self.query": (width, width),
        "attention.self.key": (width, width),
        "attention.self.value": (width, width),
        "attention.output.dense": (width, width),
        "intermediate.dense": (wide, width),
        "output.dense": (width, wide),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(layers):
        place = f"encoder.layer.{layer}."
        norms += [f"{place}attention.output.LayerNorm", f"{place}output.LayerNorm"]
        for name, (rows, columns) in dense.items():
            yield f"{place}{name}.weight", (rows, columns)
            yield f"{place}{name}.bias", (rows,)
    for norm in norms:
        yield from ((f"{norm}.{part}", (width,)) for part in PARTS)


class Bert:
    """A BERT or RoBERTa with its weights.

    Args:
        shape: as ``bert_shape`` gives it.
        weights: float32 by name, without prefix. Autocast keeps its bfloat16 copies of those
            alone that require a gradient.
    """

    def __init__(self, shape: BertShape, weights: Mapping[str, Tensor]) -> None:
        self._shape, self._weights = shape, weights

    def hidden_states(self, inputs: Inputs, layers: Sequence[int]) -> dict[int, Tensor]:
        """Return the hidden states of some layers, each (B, T, D); those above do not run."""
        mask = inputs["attention_mask"].bool()
        texts, tokens = mask.shape
        whole = bool(mask.all())  # without a mask attention is faster
        attended = None if whole else mask[:, None, None, :].expand(texts, 1, tokens, tokens)
        states = self._embedded(inputs)
        found = {0: states}
        for layer in range(max(layers)):
            states = self._layer(states, attended, f"encoder.layer.{layer}.")
            found[layer + 1] = states
        return {layer: found[layer] for layer in layers}

    def _embedded(self, inputs: Inputs) -> Tensor:
        """Return (B, T, D): the sum of what stands for token, segment and position."""
        ids = inputs["input_ids"]
        types = inputs.get("token_type_ids", torch.zeros_like(ids))
        padding = self._shape.padding
        if padding is None:
            positions = torch.arange(ids.shape[1], device=ids.device)[None]
        else:
            real = (ids != padding).int()
            positions = (real.cumsum(dim=1) * real).long() + padding
        word, position, kind = (
            functional.embedding(rows, self._weights[f"embeddings.{name}_embeddings.weight"])
            for name, rows in zip(EMBEDDINGS, (ids, positions, types), strict=True)
        )
        return self._normalized(word + kind + position, "embeddings.LayerNorm")

    def _layer(self, states: Tensor, mask: Tensor | None, place: str) -> Tensor:
        """Return (B, T, D), what a layer makes of such states."""
        texts, tokens, width = states.shape
        heads = self._shape.heads
        query, key, value = (
            self._linear(states, f"{place}attention.self.{name}")
            .view(texts, tokens, heads, width // heads)
            .transpose(1, 2)
            for name in ("query", "key", "value")
        )
        mixed = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, scale=(width // heads) ** -0.5
        )
        mixed = mixed.transpose(1, 2).reshape(texts, tokens, width)
        mixed = self._linear(mixed, f"{place}attention.output.dense")
        states = self._normalized(mixed + states, f"{place}attention.output.LayerNorm")
        wide = functional.gelu(self._linear(states, f"{place}intermediate.dense"))
        narrow = self._linear(wide, f"{place}output.dense")
        return self._normalized(narrow + states, f"{place}output.LayerNorm")

    def _linear(self, x: Tensor, name: str) -> Tensor:
        weight, bias = (self._weights[f"{name}.{part}"] for part in PARTS)
        return functional.linear(x, weight, bias)

    def _normalized(self, x: Tensor, name: str) -> Tensor:
        weight, bias = (self._weights[f"{name}.{part}"] for part in PARTS)
        return functional.layer_norm(x, x.shape[-1:], weight, bias, self._shape.epsilon)


class BertBackend:
    """A BERT or RoBERTa on a device.

    Args:
        shape: as ``bert_shape`` gives it.
        model: the model, whose weights are loaded when it first runs.
        device: a torch device.
    """

    name = TORCH

    def __init__(self, shape: BertShape, model: EncoderModel, device: torch.device) -> None:
        self._device = device
        self._load: Callable[[], Bert] = cache(partial(load_bert, shape, model, device))

    @contextmanager
    def running(self, layers: Sequence[int], precision: str) -> Iterator[Run]:
        """Return a forward pass; see ``Backend.running``.

        Raises:
            EncoderError: the weights cannot be read.
            DeviceMemoryError: they do not fit in the memory of the device.
        """
        run = partial(self._load().hidden_states, layers=layers)
        kind = self._device.type
        with torch.autocast(kind, torch.bfloat16, enabled=precision == "bfloat16"):
            yield run


def load_bert(shape: BertShape, model: EncoderModel, device: torch.device) -> Bert:
    """Return a BERT or RoBERTa in float32 on a device. Raises like ``BertBackend.running``."""
    weights: dict[str, Tensor] = {}
    with translated(model, device):
        file: Any
        with safe_open(model.transformer / WEIGHTS, "pt", device=str(device)) as file:
            for name in file.keys():  # noqa: SIM118
                own = name.removeprefix(shape.prefix)
                if own.startswith(("embeddings.", "encoder.")) and name.startswith(
                    shape.prefix
                ):
                    weights[own] = torch.nn.Parameter(file.get_tensor(name).float())
    return Bert(shape, weights)
