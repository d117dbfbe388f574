"""The back end that runs BERT, RoBERTa and MPNet in PyTorch without transformers.

Importing transformers takes 2 s, longer than encoding some hundred texts. Most sentence
encoders are of these families, whose forward pass is short (Devlin et al., BERT, 2019,
arXiv:1810.04805; Liu et al., RoBERTa, 2019, arXiv:1907.11692; Song et al., MPNet, 2020,
arXiv:2004.09297). Of BERT and RoBERTa the operations are those of transformers in the same
order, so the hidden states have the same bits. MPNet's attention is fused here, which long
texts gain from. The tests compare with transformers, and so does the probe of a new space.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor
from torch.nn import functional

from features.encoders.backends.base import Inputs, Run
from features.encoders.backends.bert_shape import BUCKETS, PARTS, WEIGHTS, BertShape
from features.encoders.backends.names import TORCH
from features.encoders.description.model import EncoderModel
from features.encoders.loading import translated

FARTHEST = 128
"""Distance in tokens from which on all distances share a bias."""


class Bert:
    """A model with its weights.

    Args:
        shape: as ``bert_shape`` gives it.
        weights: float32 by name, without prefix. Autocast keeps its bfloat16 copies of those
            alone that require a gradient.
    """

    def __init__(self, shape: BertShape, weights: Mapping[str, Tensor]) -> None:
        self._shape, self._weights = shape, weights

    def hidden_states(self, inputs: Inputs, layers: Sequence[int]) -> dict[int, Tensor]:
        """Return the hidden states of some layers, each (B, T, D); those above do not run."""
        states = self._embedded(inputs)
        mask = self._mask(inputs["attention_mask"].bool())
        found = {0: states}
        for layer in range(max(layers)):
            states = self._layer(states, mask, f"encoder.layer.{layer}.")
            if layer + 1 in layers:  # others would only take memory
                found[layer + 1] = states
        return {layer: found[layer] for layer in layers}

    def _embedded(self, inputs: Inputs) -> Tensor:
        """Return (B, T, D): the sum of what stands for token, segment and position."""
        ids = inputs["input_ids"]
        states = self._embedding(ids, "word")
        if self._shape.family.segments:
            segments = inputs.get("token_type_ids", torch.zeros_like(ids))
            states = states + self._embedding(segments, "token_type")
        if self._shape.family.padded_positions:
            real = (ids != self._shape.padding).int()
            positions = (real.cumsum(dim=1) * real).long() + self._shape.padding
        else:
            positions = torch.arange(ids.shape[1], device=ids.device)[None]
        states = states + self._embedding(positions, "position")
        return self._normalized(states, "embeddings.LayerNorm")

    def _mask(self, real: Tensor) -> Tensor | None:
        """Return what attention masks or adds, from (B, T) bool, True at real tokens.

        (B, 1, T, T) bool; None without padding, which is faster; of a relative family biases
        (B or 1, H, T, T), float32 or as autocast casts them.
        """
        texts, tokens = real.shape
        whole = bool(real.all())
        if not self._shape.family.relative:
            return None if whole else real[:, None, None, :].expand(texts, 1, tokens, tokens)
        weights = self._weights["encoder.relative_attention_bias.weight"]
        bias = functional.embedding(_buckets(tokens, real.device), weights)
        bias = bias.permute(2, 0, 1)[None]
        if not whole:
            bias = bias.masked_fill(~real[:, None, None, :], -math.inf)
        kind = real.device.type
        if torch.is_autocast_enabled(kind):  # cast here, not in each layer
            bias = bias.to(torch.get_autocast_dtype(kind))
        return bias

    def _layer(self, states: Tensor, mask: Tensor | None, place: str) -> Tensor:
        """Return (B, T, D), what a layer makes of such states."""
        names = self._shape.family.names
        texts, tokens, width = states.shape
        per_head = width // self._shape.heads
        query, key, value = (
            self._linear(states, place + name)
            .view(texts, tokens, self._shape.heads, per_head)
            .transpose(1, 2)
            for name in (names.query, names.key, names.value)
        )
        attended = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, scale=per_head**-0.5
        )
        attended = attended.transpose(1, 2).reshape(texts, tokens, width)
        attended = self._linear(attended, place + names.attention_output)
        states = self._normalized(attended + states, place + names.attention_norm)
        wide = functional.gelu(self._linear(states, place + names.intermediate))
        output = self._linear(wide, place + names.output)
        return self._normalized(output + states, place + names.output_norm)

    def _embedding(self, rows: Tensor, name: str) -> Tensor:
        return functional.embedding(rows, self._weights[f"embeddings.{name}_embeddings.weight"])

    def _linear(self, x: Tensor, name: str) -> Tensor:
        weight, bias = (self._weights[f"{name}.{part}"] for part in PARTS)
        return functional.linear(x, weight, bias)

    def _normalized(self, x: Tensor, name: str) -> Tensor:
        weight, bias = (self._weights[f"{name}.{part}"] for part in PARTS)
        return functional.layer_norm(x, x.shape[-1:], weight, bias, self._shape.epsilon)


def _buckets(tokens: int, device: torch.device) -> Tensor:
    """Return (T, T) int64: the bucket of the distance from one token to another.

    Half of the buckets are for either direction. Near distances have one each, farther ones
    share them by their logarithm (Raffel et al., T5, 2020, arXiv:1910.10683).
    """
    half = BUCKETS // 2
    near = half // 2
    places = torch.arange(tokens, device=device)
    ahead = places[None, :] - places[:, None]
    far = ahead.abs()
    share = torch.log(far.float() / near) / math.log(FARTHEST / near)
    shared = (near + (share * (half - near)).long()).clamp_max(half - 1)
    return half * (ahead > 0) + torch.where(far < near, far, shared)


class BertBackend:
    """A model on a device.

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
    """Return a model in float32 on a device. Raises like ``BertBackend.running``."""
    weights: dict[str, Tensor] = {}
    with translated(model, device):
        file: Any
        with safe_open(model.transformer / WEIGHTS, "pt", device=str(device)) as file:
            for name in file.keys():  # noqa: SIM118
                own = name.removeprefix(shape.prefix)
                needed = own.startswith(("embeddings.", "encoder."))
                if needed and name.startswith(shape.prefix):
                    # Copied: the file is mapped, and may be written to while this runs.
                    copied = file.get_tensor(name).to(torch.float32, copy=True)
                    weights[own] = torch.nn.Parameter(copied)
    return Bert(shape, weights)
