"""BertShape: what config.json and the header of the weights say of BERT and its relatives.

Nothing is loaded. A model with anything unusual in its files has no shape, and is left to
transformers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from features.encoders.description.files import read_object
from features.encoders.description.model import EncoderModel

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PARTS = ("weight", "bias")
FLOATS = frozenset({"F32", "F16", "BF16"})

BUCKETS = 32
"""Number of groups of distances between tokens; each has a bias per head."""

MPNET_PADDING = 1
"""The padding id that MPNet's position ids build on, whatever its config.json says."""

SIZES = (
    "vocab_size",
    "max_position_embeddings",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
)

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
    "relative_attention_num_buckets": (BUCKETS, None),
}
"""Entries of config.json that change the forward pass, and the values that are run here."""


@dataclass(frozen=True)
class LayerNames:
    """The names of what a layer consists of, as its weights have them."""

    query: str = "attention.self.query"
    key: str = "attention.self.key"
    value: str = "attention.self.value"
    attention_output: str = "attention.output.dense"
    attention_norm: str = "attention.output.LayerNorm"
    intermediate: str = "intermediate.dense"
    output: str = "output.dense"
    output_norm: str = "output.LayerNorm"


@dataclass(frozen=True)
class Family:
    """How a family differs from BERT.

    Attributes:
        prefix: of the names of weights that were saved as part of a language model.
        names: of the parts of a layer.
        padded_positions: whether the first token has position id padding + 1, and padding
            tokens the padding id; otherwise position ids begin at 0.
        segments: whether there are embeddings of segments (``token_type_ids``).
        relative: whether attention adds a bias per head and distance between tokens.
    """

    prefix: str
    names: LayerNames = LayerNames()
    padded_positions: bool = False
    segments: bool = True
    relative: bool = False


ROBERTA = Family("roberta.", padded_positions=True)
MPNET = Family(
    "mpnet.",
    LayerNames(
        query="attention.attn.q",
        key="attention.attn.k",
        value="attention.attn.v",
        attention_output="attention.attn.o",
        attention_norm="attention.LayerNorm",
    ),
    padded_positions=True,
    segments=False,
    relative=True,
)
FAMILIES = {"bert": Family("bert."), "roberta": ROBERTA, "xlm-roberta": ROBERTA, "mpnet": MPNET}
"""By transformers' model type."""


@dataclass(frozen=True)
class BertShape:
    """What a forward pass needs to know beside the weights.

    Attributes:
        family: how it differs from BERT.
        layers: number of layers.
        heads: attention heads per layer.
        epsilon: of the layer normalisation.
        padding: id of the padding token.
        prefix: of the names of its weights, or ''.
    """

    family: Family
    layers: int
    heads: int
    epsilon: float
    padding: int
    prefix: str


def bert_shape(model: EncoderModel) -> BertShape | None:
    """Return the shape of a model; None of other families, and of unusual models.

    The weights must have the names and shapes that follow from config.json.
    """
    family = FAMILIES.get(model.family)
    if family is None or model.trust_remote_code:
        return None
    config = read_object(model.transformer / "config.json", model.name)
    sizes = [size for name in SIZES if type(size := config.get(name)) is int and size > 0]
    if len(sizes) < len(SIZES) or any(config.get(name) not in USUAL[name] for name in USUAL):
        return None
    vocabulary, positions, width, wide, layers, heads = sizes
    segments = config.get("type_vocab_size") if family.segments else 0
    padding, epsilon = config.get("pad_token_id", 1), config.get("layer_norm_eps", 1e-12)
    if not (type(segments) is type(padding) is int and isinstance(epsilon, float)):
        return None
    if width % heads or (family.relative and padding != MPNET_PADDING):
        return None
    embeddings = {"word": vocabulary, "position": positions, "token_type": segments}
    expected: dict[str, tuple[int, ...]] = {
        f"embeddings.{name}_embeddings.weight": (rows, width)
        for name, rows in embeddings.items()
        if family.segments or name != "token_type"
    }
    if family.relative:
        expected["encoder.relative_attention_bias.weight"] = (BUCKETS, heads)
    expected |= dict(_expected(family.names, width, wide, layers))
    stored = _stored(model.transformer)
    for prefix in ("", family.prefix):
        if all(stored.get(prefix + name) == expected[name] for name in expected):
            return BertShape(family, layers, heads, epsilon, padding, prefix)
    return None


def _expected(
    names: LayerNames, width: int, wide: int, layers: int
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the names of the weights of the layers and of all norms, and their shapes."""
    yield from ((f"embeddings.LayerNorm.{part}", (width,)) for part in PARTS)
    square = (names.query, names.key, names.value, names.attention_output)
    dense = dict.fromkeys(square, (width, width))
    dense |= {names.intermediate: (wide, width), names.output: (width, wide)}
    for place in (f"encoder.layer.{layer}." for layer in range(layers)):
        for name, (rows, columns) in dense.items():
            yield f"{place}{name}.weight", (rows, columns)
            yield f"{place}{name}.bias", (rows,)
        for norm in (names.attention_norm, names.output_norm):
            yield from ((f"{place}{norm}.{part}", (width,)) for part in PARTS)


def _stored(folder: Path) -> Mapping[str, tuple[int, ...]]:
    """Return the shapes of the weights in a folder by name, without those that are no floats;
    none if they are in several files, or cannot be read."""
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
