"""The modules of a sentence-transformers model, read from modules.json.

Models that cannot give one vector per text, or that would run untrusted code, are refused here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.encoders.description.files import read_json, read_object
from features.errors import EncoderError

LIBRARY = "sentence_transformers."
OTHER_MODELS = tuple(
    f"{LIBRARY}{part}." for part in ("sparse_encoder", "cross_encoder", "multi_vector_encoder")
)
ENTRY_KEYS = frozenset({"idx", "name", "path", "type", "kwargs"})
POINTWISE = frozenset(
    {
        "Pooling",
        "Dense",
        "Normalize",
        "LayerNorm",
        "Dropout",
        "WeightedLayerPooling",
        "WordWeights",
    }
)
"""Modules that do not mix tokens, so padding cannot change a vector."""

WEIGHTED = frozenset(
    {"Dense", "CNN", "LSTM", "LayerNorm", "WeightedLayerPooling", "WordWeights"}
)
BROKEN = {
    "LSTM": "its LSTM module needs the lengths that sentence-transformers no longer gives it",
    "Router": "its texts take different ways by their task, and no task is known here",
    "Asym": "its texts take different ways by their task, and no task is known here",
}
OLD_POOLINGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


@dataclass(frozen=True)
class Module:
    """One entry of modules.json.

    Attributes:
        type: its class, as modules.json names it.
        path: its folder, relative to the model's.
        own_code: whether its class comes with the model, not with sentence-transformers.
        plain: whether the entry has no options.
    """

    type: str
    path: str
    own_code: bool
    plain: bool

    @property
    def kind(self) -> str:
        """The name of its class, without the Python module."""
        return self.type.rpartition(".")[2]


def read_modules(
    folder: Path, name: str, *, trusted: bool
) -> tuple[list[Module], dict[str, Any]]:
    """Return the modules of a model, in order, and config_sentence_transformers.json.

    Both are empty for a plain transformers folder, as for sentence-transformers.

    Raises:
        EncoderError: the model is not one for texts, or needs code that is not trusted.
    """
    path = folder / "modules.json"
    if not path.exists():
        return [], {}
    whole = read_object(folder / "config_sentence_transformers.json", name)
    kind = whole.get("model_type", "SentenceTransformer")
    if kind != "SentenceTransformer":
        raise EncoderError(
            f"the encoder {name!r} is a {kind} by its config_sentence_transformers.json, and "
            "only a SentenceTransformer gives one vector per text; choose another"
        )
    entries = read_json(path, name)
    if not isinstance(entries, list) or not all(_is_entry(entry) for entry in entries):
        raise EncoderError(
            f"{path} is no list of modules with a type and a path; copy the model again"
        )
    modules = [_module(entry, folder, name, trusted) for entry in entries]
    if not modules or (modules[0].kind != "Transformer" and not modules[0].own_code):
        raise EncoderError(
            f"{path} starts with {[m.kind for m in modules[:1]] or 'nothing'}; only "
            "sentence-transformers models whose first module is a Transformer can be used"
        )
    for module in modules:
        if module.kind in BROKEN and not module.own_code:
            raise EncoderError(
                f"the encoder {name!r} cannot be used: {BROKEN[module.kind]}; choose another "
                "with --encoder"
            )
    return modules, whole


def _is_entry(entry: object) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("type"), str)
        and isinstance(entry.get("path"), str)
    )


def _module(entry: dict[str, Any], folder: Path, name: str, trusted: bool) -> Module:
    kind, path = entry["type"], entry["path"]
    if Path(path).is_absolute() or ".." in Path(path).parts:
        raise EncoderError(f"{folder / 'modules.json'} names a folder outside of it: {path!r}")
    own_code = not kind.startswith(LIBRARY)
    if own_code:
        file = folder / (kind.partition(".")[0] + ".py")
        if not trusted:
            raise EncoderError(
                f"the encoder {name!r} has a module {kind} with Python code of its own, which "
                "is not run: pass --trust-remote-code if you have read it and trust it"
            )
        if kind.count(".") != 1 or "--" in kind or not file.exists():
            raise EncoderError(
                f"the code of the module {kind} of the encoder {name!r} is not beside it (no "
                f"{file}), so that no digest would cover it; copy it there as a file of its own"
            )
    elif kind.startswith(OTHER_MODELS):
        raise EncoderError(
            f"the encoder {name!r} has the module {kind}, which belongs to models that do not "
            "give one vector per text; choose another with --encoder"
        )
    plain = entry.keys() <= ENTRY_KEYS and not entry.get("kwargs")
    return Module(kind, path, own_code, plain)


def check_weights(folder: Path, modules: Sequence[Module], name: str) -> None:
    """Check that all modules have their weights, and that every activation is used.

    Raises:
        EncoderError: weights are missing, or an activation would be left out.
    """
    for module in modules:
        path = folder / module.path
        if (
            module.kind in WEIGHTED
            and not module.own_code
            and not any(path.glob("*.safetensors"))
        ):
            raise EncoderError(
                f"the module {module.kind} of the encoder {name!r} has no weights in "
                f"safetensors in {path}; load it with sentence-transformers and save it again"
            )
        config = read_object(path / "config.json", name)
        activation = config.get("activation_function", "torch.")
        if not (isinstance(activation, str) and activation.startswith("torch.")):
            raise EncoderError(
                f"the module {module.kind} of the encoder {name!r} names the activation "
                f"{activation!r}, which is not torch's and would be left out; use one of "
                "torch.nn"
            )


def pooling_mode(config: Mapping[str, Any]) -> str:
    """Return the pooling of a configuration in its new or old form; '' unless it is one."""
    if "pooling_mode" in config:
        mode = config["pooling_mode"]
        return mode if isinstance(mode, str) else ""
    active = [mode for key, mode in OLD_POOLINGS.items() if config.get(key)]
    if not active:
        return "mean"
    return active[0] if len(active) == 1 else ""


def modules_width(
    folder: Path,
    modules: list[Module],
    width: int,
    config: Mapping[str, Any],
    settings: Mapping[str, Any],
    whole: Mapping[str, Any],
) -> int:
    """Return the width of the last module's vector, from the modules' configurations."""
    if settings.get("module_output_name") == "sentence_embedding":
        width = config.get("projection_dim", width)
    for module in modules:
        path = folder / module.path
        stated = read_object(path / "config.json", str(folder))
        if module.kind == "Dense":
            width = stated.get("out_features", width)
        elif module.kind == "CNN":
            cnn = read_object(path / "cnn_config.json", str(folder))
            kernels, channels = cnn.get("kernel_sizes", [1, 3, 5]), cnn.get("out_channels", 256)
            known = isinstance(kernels, list) and isinstance(channels, int)
            width = channels * len(kernels) if known else 0
        elif module.kind == "Pooling":
            mode = stated.get("pooling_mode")
            old = [key for key in OLD_POOLINGS if stated.get(key)]
            several = len(mode) if isinstance(mode, list) else 1 if mode else max(1, len(old))
            width *= several
    cut = whole.get("truncate_dim", width) or width
    if not all(isinstance(size, int) and size > 0 for size in (width, cut)):
        raise EncoderError(
            f"the modules of {folder} do not state their sizes as whole numbers; correct "
            "their configurations, or copy the model again"
        )
    return int(min(width, cut))
