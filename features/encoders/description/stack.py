"""Stack: how a model pools, and whether this project can compute it.

sentence-transformers defines a model's pooled vectors. This project computes them itself only
for stacks that are proven equal: a plain transformer, one pooling, perhaps Normalize, and known
settings. All others are run by the library's modules (``features.encoders.chain``), or refused.
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
"""Pooling of models whose vectors the modules of sentence-transformers compute."""

OWN_POOLINGS = {"mean": "mean", "cls": "cls", "max": "max", "lasttoken": "last"}
"""sentence-transformers' names of the poolings that this project computes -> its own names."""

POOLING_KEYS = {
    "embedding_dimension",
    "word_embedding_dimension",
    "pooling_mode",
    "include_prompt",
    *OLD_POOLINGS,
}
SINCE_LONG = frozenset({"Pooling", "Dense", "Normalize", "LayerNorm", "Dropout"})
"""Modules that earlier versions ran as the library does: their spaces keep their names."""


@dataclass(frozen=True)
class Stack:
    """How a model makes one vector of its tokens.

    Attributes:
        pooling: one of ``OWN_POOLINGS``' values, or ``MODULES``.
        width: features of a pooled vector.
        normalize: whether this project scales it to length 1.
        unit: whether the modules end by doing so.
        pointwise: whether no module lets padding reach a vector.
        digests: of what counts besides the transformer, for the model's identity.
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
        EncoderError: settings that cannot be followed, or weights that may not be read.
    """
    modules, behind = stated.modules, stated.modules[1:]
    own_code = any(module.own_code for module in modules)
    pointwise = not own_code and all(module.kind in POINTWISE for module in behind)
    pooling, normalize = _own_pooling(stated)
    if pooling != MODULES:
        return Stack(pooling, stated.width, normalize, False, pointwise, digests={})
    paths = (module.path for module in behind)
    digests = module_digests(stated.folder, paths, everything=own_code)
    check_weights(stated.folder, behind, stated.name)
    if modules:
        digests["modules"] = canonical([[module.kind, module.path] for module in modules])
    else:
        digests["causal"] = canonical(_causal(stated))
    if own_code:
        digests["classes"] = canonical([module.type for module in modules])
    if not _as_before(stated):
        digests["reference"] = canonical([stated.settings, stated.whole.get("truncate_dim")])
    width = modules_width(
        stated.folder, behind, stated.width, stated.config, stated.settings, stated.whole
    )
    unit = bool(behind) and _ends_at_length_one(stated)
    return Stack(MODULES, width, False, unit, pointwise, digests)


def _own_pooling(stated: Stated) -> tuple[str, bool]:
    """Return the pooling that this project computes, and whether it normalizes; else
    ``MODULES``."""
    other = (MODULES, False)
    if not ordinary(stated):
        return other
    if not stated.modules:
        # As sentence-transformers: decoders end in the token that has seen all others.
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
    """Whether it was made to write text, left to right, by its config.json."""
    named = stated.config.get("architectures")
    first = str(named[0]) if isinstance(named, list) and named else ""
    return first.endswith("ForCausalLM") and bool(stated.config.get("is_causal", True))


def _ends_at_length_one(stated: Stated) -> bool:
    """Whether the last module scales what ``encode`` returns, and nothing cuts it then."""
    last, cut = stated.modules[-1], stated.whole.get("truncate_dim")
    own = last.kind == "Normalize" and not last.own_code
    return own and cut is None and _scales_the_vector(stated, last)


def _scales_the_vector(stated: Stated, normalize: Module) -> bool:
    names = stated.module_config(normalize).values()
    return all(name in ("sentence_embedding", None) for name in names)


def _as_before(stated: Stated) -> bool:
    """Return whether versions that ran the modules behind the transformer alone gave the
    same."""
    poolings = [module for module in stated.modules if module.kind == "Pooling"]
    return (
        bool(stated.modules)
        and ordinary(stated)
        and all(module.kind in SINCE_LONG for module in stated.modules[1:])
        and all(stated.module_config(m).get("include_prompt", True) is True for m in poolings)
    )
