"""Stack: how a model pools, and whether this project can compute it.

sentence-transformers defines a model's pooled vectors. This project computes them itself only
if the result is the same: a plain transformer, one pooling, optionally Normalize, and known
settings. For all other models the library's modules compute them (``features.encoders.chain``),
or the model is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from features.encoders.description.files import canonical, module_digests
from features.encoders.description.modules import (
    OLD_POOLINGS,
    POINTWISE,
    Module,
    check_weights,
    modules_width,
    pooling_mode,
)
from features.encoders.description.settings import Stated, ordinary

MODULES = "modules"
"""Name of the pooling that the modules of sentence-transformers compute."""

OWN_POOLINGS = {"mean": "mean", "cls": "cls", "max": "max", "lasttoken": "last"}
"""sentence-transformers' names of the poolings that this project computes -> its own names."""

POOLING_KEYS = {
    "embedding_dimension",
    "word_embedding_dimension",
    "pooling_mode",
    "include_prompt",
    *OLD_POOLINGS,
}
ALWAYS_RUN = frozenset({"Pooling", "Dense", "Normalize", "LayerNorm", "Dropout"})
"""Modules that earlier versions already ran as the library does, so that the fingerprints of
their spaces stay as they are."""


@dataclass(frozen=True)
class Stack:
    """How a model makes one vector of its tokens.

    Attributes:
        pooling: one of ``OWN_POOLINGS``' values, or ``MODULES``.
        width: numbers per pooled vector.
        normalize: whether this project scales it to length 1.
        unit: whether the last module scales it to length 1.
        pointwise: whether no module mixes tokens, so that padding cannot change a vector.
        digests: digests of whatever else changes a vector, besides the transformer.
    """

    pooling: str
    width: int
    normalize: bool
    unit: bool
    pointwise: bool
    digests: dict[str, str]


def describe_stack(stated: Stated) -> Stack:
    """Return how a model pools; see ``Stack``.

    Raises:
        EncoderError: a setting is not supported, or weights may not be read.
    """
    modules, others = stated.modules, stated.modules[1:]
    own_code = any(module.own_code for module in modules)
    pointwise = not own_code and all(module.kind in POINTWISE for module in others)
    pooling, normalize = _own_pooling(stated)
    if pooling != MODULES:
        return Stack(pooling, stated.width, normalize, False, pointwise, digests={})
    paths = (module.path for module in others)
    digests = module_digests(stated.folder, paths, everything=own_code)
    check_weights(stated.folder, others, stated.name)
    if modules:
        digests["modules"] = canonical([[module.kind, module.path] for module in modules])
    else:
        digests["causal"] = canonical(_causal(stated))
    if own_code:
        digests["classes"] = canonical([module.type for module in modules])
    if not _as_before(stated):
        digests["reference"] = canonical([stated.settings, stated.whole.get("truncate_dim")])
    width = modules_width(
        stated.folder, others, stated.width, stated.config, stated.settings, stated.whole
    )
    unit = bool(others) and _ends_at_length_one(stated)
    return Stack(MODULES, width, False, unit, pointwise, digests)


def _own_pooling(stated: Stated) -> tuple[str, bool]:
    """Return the pooling that this project computes, and whether it normalizes.

    The pooling is ``MODULES`` if this project cannot compute it.
    """
    other = (MODULES, False)
    if not ordinary(stated):
        return other
    if not stated.modules:
        # As in sentence-transformers: only the last token of a decoder has seen all others.
        return ("last" if _causal(stated) else "mean"), False
    kinds = [module.kind for module in stated.modules[1:]]
    if kinds not in (["Pooling"], ["Pooling", "Normalize"]):
        return other
    pooling = stated.module_config(stated.modules[1])
    own = OWN_POOLINGS.get(pooling_mode(pooling))
    width = pooling.get("embedding_dimension", pooling.get("word_embedding_dimension"))
    if own is None or not pooling.keys() <= POOLING_KEYS or width not in (None, stated.width):
        return other
    if pooling.get("include_prompt", True) is not True:
        return other
    if kinds[-1] == "Normalize":
        return (own, True) if _scales_the_vector(stated, stated.modules[2]) else other
    return own, False


def _causal(stated: Stated) -> bool:
    """Return whether the model generates text from left to right, by its config.json."""
    named = stated.config.get("architectures")
    first = str(named[0]) if isinstance(named, list) and named else ""
    return first.endswith("ForCausalLM") and bool(stated.config.get("is_causal", True))


def _ends_at_length_one(stated: Stated) -> bool:
    """Return whether the last module scales the final vector, which is not cut afterwards."""
    last, cut = stated.modules[-1], stated.whole.get("truncate_dim")
    own = last.kind == "Normalize" and not last.own_code
    return own and cut is None and _scales_the_vector(stated, last)


def _scales_the_vector(stated: Stated, normalize: Module) -> bool:
    """Return whether a Normalize module scales the text's vector."""
    names = stated.module_config(normalize).values()
    return all(name in ("sentence_embedding", None) for name in names)


def _as_before(stated: Stated) -> bool:
    """Return whether the vectors are those of versions that ran only the modules after the
    transformer.
    """
    poolings = [module for module in stated.modules if module.kind == "Pooling"]
    return (
        bool(stated.modules)
        and ordinary(stated)
        and all(module.kind in ALWAYS_RUN for module in stated.modules[1:])
        and all(stated.module_config(m).get("include_prompt", True) is True for m in poolings)
    )
