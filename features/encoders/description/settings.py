"""sentence-transformers' settings of a model, found as the library finds them.

If all settings are known and have ordinary values, this project pools the model's vectors
itself. Otherwise the library's modules do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.encoders.description.files import read_object
from features.encoders.description.modules import Module
from features.errors import EncoderError
from features.messages import listed

SETTINGS_FILES = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
"""Files in which sentence-transformers looks for the transformer's settings, in its order."""

PLAIN_MODALITY = {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}
ORDINARY_SETTINGS: dict[str, tuple[object, ...]] = {
    "do_lower_case": (False, None),
    "transformer_task": ("feature-extraction",),
    "modality_config": (PLAIN_MODALITY,),
    "module_output_name": ("token_embeddings",),
    "unpad_inputs": (None, False),
    "query_length": (None,),
    "document_length": (None,),
    "query_expansion": (None,),
    **dict.fromkeys(
        (
            "processing_kwargs",
            "model_args",
            "model_kwargs",
            "tokenizer_args",
            "processor_kwargs",
            "config_args",
            "config_kwargs",
        ),
        ({}, None),
    ),
}
"""Settings of the transformer -> the values that change nothing. ``max_seq_length`` may have
any value (``features.encoders.description.limits``)."""

FOREIGN_SETTINGS = frozenset(
    {
        "adapter_kwargs",
        "device_map",
        "gguf_file",
        "merges_file",
        "quantization_config",
        "state_dict",
        "tokenizer_file",
        "variant",
        "vocab_file",
    }
)
"""Loading options inside a model's settings that would open other files, or other weights."""

ORDINARY_WHOLE: dict[str, tuple[object, ...]] = {
    "model_type": ("SentenceTransformer",),
    "truncate_dim": (None,),
}
EMPTY_PROMPTS = ("query", "document")
"""Names of prompts that every model has; they are empty unless the model states them."""

READ_WHOLE = frozenset({"__version__", "prompts", "default_prompt_name", "similarity_fn_name"})
"""Entries of config_sentence_transformers.json that are read here or change no vector."""

ENCODER_ONLY = frozenset(
    {"t5", "mt5", "umt5", "longt5", "t5gemma", "m2m_100", "pegasus", "marian"}
)
"""Encoder-decoders of which sentence-transformers loads only the encoder."""

FINAL_NORM = frozenset({"clip_text_model"})
"""Families whose last hidden state is normalized once more before it is pooled."""


@dataclass(frozen=True)
class Stated:
    """What the files of a model state.

    Attributes:
        name: the model's name, for messages.
        folder: the model's folder.
        modules: from modules.json; empty for a plain transformers folder.
        whole: config_sentence_transformers.json.
        settings: sentence-transformers' settings of the transformer.
        config: the transformer's config.json.
        width: features of its hidden states.
    """

    name: str
    folder: Path
    modules: list[Module]
    whole: dict[str, Any]
    settings: dict[str, Any]
    config: dict[str, Any]
    width: int

    @property
    def transformer(self) -> Path:
        """The folder of the transformer."""
        return self.folder / (self.modules[0].path if self.modules else "")

    def module_config(self, module: Module) -> dict[str, Any]:
        """Return a module's config.json; empty if it has none."""
        return read_object(self.folder / module.path / "config.json", self.name)


def transformer_settings(transformer: Path, name: str) -> dict[str, Any]:
    """Return sentence-transformers' settings of a transformer, as the library would find them.

    Raises:
        EncoderError: the task gives no token vectors, or an option opens other files.
    """
    files = (read_object(transformer / file, name) for file in SETTINGS_FILES)
    found: dict[str, Any] = next(filter(None, files), {})
    task = found.get("transformer_task", "feature-extraction")
    if task != "feature-extraction":
        raise EncoderError(
            f"the encoder {name!r} is made for {task}, not for vectors of texts; choose "
            "another with --encoder"
        )
    if found.get("tokenizer_name_or_path"):
        raise EncoderError(
            f"the encoder {name!r} takes its tokenizer from elsewhere "
            f"({found['tokenizer_name_or_path']!r}); save it beside the model and drop "
            "tokenizer_name_or_path"
        )
    for key, value in found.items():
        if not key.endswith(("_args", "_kwargs")):
            continue
        if not isinstance(value, dict | None):
            raise EncoderError(f"{key} of the encoder {name!r} is no object; copy it again")
        parts = (value or {}).values() if key == "processing_kwargs" else ()
        if not all(isinstance(part, dict | None) for part in parts):
            raise EncoderError(
                f"{key} of the encoder {name!r} holds more than objects; copy it again"
            )
        foreign = FOREIGN_SETTINGS & set(value or {})
        if foreign:
            raise EncoderError(
                f"{key} of the encoder {name!r} names {listed(sorted(foreign))}, which would "
                "load other files than those beside it; save the model as it is used, and "
                "drop it"
            )
    return found


def ordinary(stated: Stated) -> bool:
    """Return whether all settings are known and have values that change nothing."""
    config, transformer = stated.config, stated.transformer
    return (
        all(module.plain and not module.own_code for module in stated.modules)
        and all(
            key in READ_WHOLE or value in ORDINARY_WHOLE.get(key, ())
            for key, value in stated.whole.items()
        )
        and all(
            key == "max_seq_length"
            or value in ORDINARY_SETTINGS.get(key, ())
            or (key == "do_lower_case" and value is True and _lower_cases(transformer))
            for key, value in stated.settings.items()
        )
        and config.get("tie_last_hidden_states", True) is not False
        and config.get("model_type") not in ENCODER_ONLY | FINAL_NORM
        and not any(transformer.glob("*processor_config.json"))
        and (bool(stated.modules) or not _chats(transformer))
    )


def _lower_cases(transformer: Path) -> bool:
    """Return whether the tokenizer turns texts into lower case."""
    found = read_object(transformer / "tokenizer.json", str(transformer)).get("normalizer")
    normalizer = found if isinstance(found, dict) else {}
    several = normalizer.get("normalizers")
    steps = several if isinstance(several, list) and several else [normalizer]
    stated = read_object(transformer / "tokenizer_config.json", str(transformer))
    return stated.get("do_lower_case", True) is not False and any(
        step.get("type") == "Lowercase" or step.get("lowercase") is True
        for step in steps
        if isinstance(step, dict)
    )


def _chats(transformer: Path) -> bool:
    """Return whether the library would put texts into a chat template.

    It does so for a folder without modules.json.
    """
    stated = read_object(transformer / "tokenizer_config.json", str(transformer))
    return "chat_template" in stated or any(transformer.glob("*chat_template*"))


def named_prompts(whole: Mapping[str, Any], name: str) -> tuple[dict[str, str], str]:
    """Return the prompts of a model by name, and the text of its default prompt.

    Args:
        whole: config_sentence_transformers.json.

    Raises:
        EncoderError: a prompt is not a text, or the default is not one of them.
    """
    prompts = whole.get("prompts") or {}
    default = whole.get("default_prompt_name")
    if not isinstance(prompts, dict) or not all(
        isinstance(text, str | None) for text in prompts.values()
    ):
        raise EncoderError(
            f"the prompts of the encoder {name!r} are no texts by name; correct its "
            "config_sentence_transformers.json"
        )
    known = {key: text or "" for key, text in prompts.items()}
    if default and default not in [*known, *EMPTY_PROMPTS]:
        raise EncoderError(
            f"the encoder {name!r} names {default!r} as its default prompt, and has "
            f"{listed(known) or 'none'}; correct its config_sentence_transformers.json"
        )
    return known, known.get(default, "") if default else ""
