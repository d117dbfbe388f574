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
"""Groups of distances between tokens, each with a bias of its own."""

MPNET_PADDING = 1
"""The number from behind which MPNet counts positions, whatever its padding token is."""

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
    mixed: str = "attention.output.dense"
    mixed_norm: str = "attention.output.LayerNorm"
    wide: str = "intermediate.dense"
    narrow: str = "output.dense"
    norm: str = "output.LayerNorm"


@dataclass(frozen=True)
class Family:
    """In what a family differs from BERT.

    Attributes:
        prefix: of the names of weights that were saved below a language model.
        names: of the parts of a layer.
        padded: whether positions count from behind the number of the padding token.
        types: whether segments have embeddings.
        relative: whether attention depends on the distance between tokens, too.
    """

    prefix: str
    names: LayerNames = LayerNames()
    padded: bool = False
    types: bool = True
    relative: bool = False


ROBERTA = Family("roberta.", padded=True)
MPNET = Family(
    "mpnet.",
    LayerNames(
        query="attention.attn.q",
        key="attention.attn.k",
        value="attention.attn.v",
        mixed="attention.attn.o",
        mixed_norm="attention.LayerNorm",
    ),
    padded=True,
    types=False,
    relative=True,
)
FAMILIES = {"bert": Family("bert."), "roberta": ROBERTA, "xlm-roberta": ROBERTA, "mpnet": MPNET}
"""By transformers' model type."""


@dataclass(frozen=True)
class BertShape:
    """What a forward pass needs to know beside the weights.

    Attributes:
        family: in what it differs from BERT.
        layers: number of layers.
        heads: attention heads per layer.
        epsilon: of the layer normalisation.
        padding: number of the padding token.
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
    types = config.get("type_vocab_size") if family.types else 0
    padding, epsilon = config.get("pad_token_id", 1), config.get("layer_norm_eps", 1e-12)
    if not (type(types) is type(padding) is int and isinstance(epsilon, float)):
        return None
    if width % heads or (family.relative and padding != MPNET_PADDING):
        return None
    embeddings = {"word": vocabulary, "position": positions, "token_type": types}
    expected: dict[str, tuple[int, ...]] = {
        f"embeddings.{name}_embeddings.weight": (rows, width)
        for name, rows in embeddings.items()
        if family.types or name != "token_type"
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
    dense = dict.fromkeys((names.query, names.key, names.value, names.mixed), (width, width))
    dense |= {names.wide: (wide, width), names.narrow: (width, wide)}
    for place in (f"encoder.layer.{layer}." for layer in range(layers)):
        for name, (rows, columns) in dense.items():
            yield f"{place}{name}.weight", (rows, columns)
            yield f"{place}{name}.bias", (rows,)
        for norm in (names.mixed_norm, names.norm):
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
