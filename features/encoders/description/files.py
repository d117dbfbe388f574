"""Files of a model's folder: read, hashed, and refused if they are not safe.

A digest covers every file that loading opens, except those that cannot change a vector.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from features.errors import EncoderError
from features.messages import listed

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "sentence_bert_config.json",
)
RARE_TOKENIZER_FILES = (
    "tokenizer.*.json",
    "*.model",
    "*.tiktoken",
    "*.codes",
    "*.jinja",
    "additional_chat_templates/*",
    "chat_template.json",
    "prophetnet.tokenizer",
    "byte_maps.json",
    "dict.txt",
    "emoji.json",
    "entity_vocab.json",
    "normalizer.json",
    "tekken.json",
    "vocab.bpe",
    "vocab-*.json",
    "target_vocab.json",
    "word_*.json",
    "*processor_config.json",
    "sentence_*_config.json",
)
"""Patterns of files that some tokenizers read besides ``TOKENIZER_FILES``. They were added
later: a model without such files keeps its digest."""

VOCABULARY_FILES = frozenset(TOKENIZER_FILES) - {
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "sentence_bert_config.json",
}
COMMON_FILES = frozenset(TOKENIZER_FILES) | {
    "config.json",
    "config_sentence_transformers.json",
    "generation_config.json",
    "LICENSE",
    "model.safetensors.index.json",
    "modules.json",
}
"""Files of any model that are hashed elsewhere or change no vector."""

SENTENCEPIECE = "*.model"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")
INERT_CONFIG = frozenset({"_name_or_path", "transformers_version", "architectures"})
"""Entries of config.json that do not change a vector."""

CODE_OWNERS = ("config.json", "tokenizer_config.json", "processor_config.json")
"""Files whose ``auto_map`` names Python code."""

INERT_SUFFIXES = frozenset({".md", ".png", ".jpg", ".onnx", ".h5", ".msgpack", ".bin", ".pt"})
"""Suffixes of documents, and of weights of other frameworks."""

OTHER_FORMATS = frozenset({"onnx", "openvino"})
"""Folders that hold the same model for other libraries."""

KNOWN_WEIGHTS = (
    "model*.safetensors",
    "pytorch_model*.bin",
    "tf_model.h5",
    "flax_model.msgpack",
    "*.onnx",
)
"""Patterns of weights in several formats, which the model's own code need not open."""


def read_json(path: Path, name: str) -> Any:
    """Return the contents of a JSON file. Raises ``EncoderError`` if it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise EncoderError(
            f"cannot read {path} of the encoder {name!r}: {error}; copy the model again"
        ) from error


def read_object(path: Path, name: str) -> dict[str, Any]:
    """Return the JSON object in a file; an empty one if there is no file.

    Raises:
        EncoderError: it cannot be read, or does not hold an object.
    """
    if not path.exists():
        return {}
    found = read_json(path, name)
    if not isinstance(found, dict):
        raise EncoderError(
            f"{path} of the encoder {name!r} holds a {type(found).__name__} where an object "
            "is wanted; copy the model again"
        )
    return found


def weight_digests(transformer: Path, config: dict[str, Any], name: str) -> dict[str, str]:
    """Return the SHA-256 of the transformer's weights by file name.

    Raises:
        EncoderError: there are no weights in safetensors, or loading would open other files.
    """
    if (transformer / "adapter_config.json").exists():
        raise EncoderError(
            f"the encoder {name!r} has an adapter beside it (adapter_config.json in "
            f"{transformer}), which counts only where peft is installed; merge it first "
            "(model.merge_and_unload().save_pretrained) and give that folder"
        )
    files = sorted(transformer.glob("model*.safetensors"))
    if not files:
        pickles = _pickles(transformer)
        found = f"only {listed(pickles)}, which is pickle" if pickles else "no weights"
        raise EncoderError(
            f"the encoder {name!r} has no model.safetensors in {transformer} ({found}); this "
            "project reads no pickle: save the model with safe_serialization=True"
        )
    known = {file.name for file in files}
    index = read_object(transformer / "model.safetensors.index.json", name)
    shards = index.get("weight_map", {})
    named = set(shards.values() if isinstance(shards, dict) else [shards])
    if config.get("transformers_weights"):
        named.add(config["transformers_weights"])
    if not named <= known:
        raise EncoderError(
            f"the encoder {name!r} names weights other than {listed(sorted(known))}: "
            f"{listed(sorted(map(str, named - known)), 3)}; save the whole model again with "
            "save_pretrained"
        )
    return {file.name: sha256(file) for file in files}


def tokenizer_digests(transformer: Path, name: str) -> dict[str, str]:
    """Return the SHA-256 of every file that a tokenizer may read, by path.

    Raises:
        EncoderError: there is no vocabulary.
    """
    files = [transformer / file for file in TOKENIZER_FILES if (transformer / file).exists()]
    rare = {
        file
        for pattern in RARE_TOKENIZER_FILES
        for file in transformer.glob(pattern)
        if file.is_file() and file not in files
    }
    if not VOCABULARY_FILES & {file.name for file in files} and not any(
        file.suffix in (".model", ".tiktoken", ".codes", ".bpe", ".tokenizer")
        or file.name in ("tekken.json", "byte_maps.json")
        for file in rare
    ):
        raise EncoderError(
            f"the encoder {name!r} has no tokenizer in {transformer}; save it there with "
            "tokenizer.save_pretrained"
        )
    return {file.relative_to(transformer).as_posix(): sha256(file) for file in [*files, *rare]}


def needs_sentencepiece(transformer: Path) -> bool:
    """Return whether only the package sentencepiece can read the vocabulary."""
    return not (transformer / "tokenizer.json").exists() and any(
        transformer.glob(SENTENCEPIECE)
    )


def code_digests(folder: Path, transformer: Path, paths: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of a trusted model's Python files, and of files that they may read.

    Files that every model has are left out: they are hashed elsewhere or change nothing.

    Args:
        paths: the modules' folders, relative to the model's.

    Raises:
        EncoderError: the configuration takes code from another repository, which no digest
            covers.
    """
    for owner in CODE_OWNERS:
        named = json.dumps(read_object(transformer / owner, str(folder)).get("auto_map"))
        if "--" in named:
            raise EncoderError(
                f"{transformer / owner} takes Python code from another repository ({named}), "
                "which may change without notice; copy that code beside the model and drop "
                "'repository--' there"
            )
    digests = {
        f"code:{file.relative_to(transformer)}": sha256(file)
        for file in sorted(transformer.glob("**/*.py"))
    }
    if folder != transformer:
        outer = set(folder.glob("**/*.py")) - set(transformer.glob("**/*.py"))
        digests |= {f"root code:{file.relative_to(folder)}": sha256(file) for file in outer}
    if digests:
        known = {folder, transformer, *(folder / path for path in paths)}
        digests |= {
            f"beside code:{file.relative_to(folder)}": sha256(file)
            for file in folder.rglob("*")
            if file.is_file() and _unknown(file, folder, known) and not _hidden(file, folder)
        }
    return digests


def _unknown(file: Path, folder: Path, known: Collection[Path]) -> bool:
    """Return whether a file is none of those that every model has in the known folders."""
    if file.suffix in (".py", ".md") or file.relative_to(folder).parts[0] in OTHER_FORMATS:
        return False
    common = (*COMMON_FILES, *KNOWN_WEIGHTS, *RARE_TOKENIZER_FILES)
    return file.parent not in known or not any(file.match(pattern) for pattern in common)


def module_digests(folder: Path, paths: Iterable[str], *, everything: bool) -> dict[str, str]:
    """Return the SHA-256 of the files of the modules after the transformer, by path.

    Args:
        paths: the modules' folders, relative to the model's.
        everything: also hash all other files of the model, since its own code may open them.

    Raises:
        EncoderError: there are weights that only pickle can read.
    """
    wanted = {path for path in paths if path}
    for path in sorted(wanted):
        pickles = _pickles(folder / path)
        if pickles and not any((folder / path).glob("*.safetensors")):
            raise EncoderError(
                f"the module {folder / path} has its weights in {listed(pickles)} only, which "
                "is pickle, and this project reads none: load the model with "
                "sentence-transformers and save it again (safetensors is its default)"
            )
    roots = [folder / path for path in sorted(wanted)] + ([folder] if everything else [])
    files = {file for root in roots for file in root.rglob("*") if file.is_file()}
    inert = {".md"} if everything else INERT_SUFFIXES
    return {
        file.relative_to(folder).as_posix(): sha256(file)
        for file in files
        if file.suffix not in inert and not _hidden(file, folder)
    }


def _hidden(file: Path, folder: Path) -> bool:
    """Return whether a file, or a folder around it, is hidden or compiled Python."""
    parts = file.relative_to(folder).parts
    return any(part.startswith(".") or part == "__pycache__" for part in parts)


def _pickles(folder: Path) -> list[str]:
    return sorted({file.name for pattern in PICKLES for file in folder.glob(pattern)})


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file. Raises ``EncoderError``: it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EncoderError(f"cannot read {path}: {error}; copy the model again") from error


def canonical(value: object) -> str:
    """Return the hexadecimal SHA-256 of a value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def combined(digests: dict[str, str]) -> str:
    """Return one digest of several named ones."""
    return canonical(sorted(digests.items()))
