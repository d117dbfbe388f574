"""Build tiny models with random weights: families, and stacks of modules around a BERT."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, normalizers

from tests.support.transformers import SENTENCES, _tokenizer

LIMIT = 32
WIDTH = 16
SMALL = {
    "vocab_size": 200,
    "hidden_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": LIMIT,
}
DECODER = {**SMALL, "num_key_value_heads": 1, "head_dim": 8, "pad_token_id": 0}
BERT_IDS = (["[PAD]", "[UNK]", "[CLS]", "[SEP]"], "[CLS] $A [SEP]", {"unk": "[UNK]"})
LIBRARY = "sentence_transformers.models."


def tokenizer_of(
    *, limit: int | None = LIMIT, side: str = "right", end: bool = False, lower: bool = False
) -> Any:
    """A shared tokenizer of 200 tokens: framed as BERT's, or with an end of text alone."""
    special, template, ids = BERT_IDS
    inner: Tokenizer = _tokenizer(special, "$A [SEP]" if end else template, ids)
    if lower:
        inner.normalizer = normalizers.BertNormalizer(lowercase=True)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="[PAD]",
        unk_token="[UNK]",
        sep_token="[SEP]",
        eos_token="[SEP]",
        padding_side=side,
        **({} if end else {"cls_token": "[CLS]"}),
        **({"model_max_length": limit} if limit else {}),
    )


def save(folder: Path, kind: str, config: Any, tokenizer: Any = None) -> Path:
    """A random model of a class of transformers, with a tokenizer beside it."""
    torch.manual_seed(0)
    getattr(transformers, kind)(config).eval().save_pretrained(folder)
    (tokenizer or tokenizer_of()).save_pretrained(folder)
    return folder


def family(
    kind: str, config: str, tokenizer: Any = None, **values: Any
) -> Callable[[Path], Path]:
    """Makes a plain transformers folder."""

    def make(folder: Path) -> Path:
        given = {**SMALL, **values}
        wanted = {key: value for key, value in given.items() if value is not None}
        own = tokenizer() if tokenizer else None
        return save(folder, kind, getattr(transformers, config)(**wanted), own)

    return make


def change(path: Path, **values: Any) -> None:
    """Set entries of a JSON object in a file."""
    found = json.loads(path.read_text()) if path.exists() else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**found, **values}))


def stack(
    *modules: tuple[str, Mapping[str, Any]],
    make: Callable[[Path], Path] | None = None,
    settings: Mapping[str, Any] | None = None,
    whole: Mapping[str, Any] | None = None,
    path: str = "",
    first: str = "Transformer",
    config: Mapping[str, Any] | None = None,
    files: Mapping[str, str] | None = None,
) -> Callable[[Path], Path]:
    """Makes a sentence-transformers folder on a tiny BERT, or on another model.

    Args:
        modules: kind and configuration of those behind the transformer.
        settings, whole, config: entries of sentence_bert_config.json,
            config_sentence_transformers.json and config.json.
        path: folder of the transformer.
        first: kind of the first module.
        files: more files, by name.
    """

    def build(folder: Path) -> Path:
        transformer = (make or BERT)(folder / path)
        change(transformer / "config.json", **(config or {}))
        entries = [
            (first, path),
            *((kind, f"{i}_{kind}") for i, (kind, _) in enumerate(modules, 1)),
        ]
        listed = [
            {
                "idx": i,
                "name": str(i),
                "path": place,
                "type": kind if "." in kind else LIBRARY + kind,
            }
            for i, (kind, place) in enumerate(entries)
        ]
        (folder / "modules.json").write_text(json.dumps(listed))
        if settings is not None:
            change(transformer / "sentence_bert_config.json", **settings)
        if whole is not None:
            change(folder / "config_sentence_transformers.json", **whole)
        for (kind, values), (_, place) in zip(modules, entries[1:], strict=True):
            _save_module(folder / place, kind, values)
        for name, text in (files or {}).items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
        return folder

    return build


WITH_WEIGHTS = ("Dense", "CNN", "LayerNorm", "LSTM", "WeightedLayerPooling", "WordWeights")


def _save_module(place: Path, kind: str, values: Mapping[str, Any]) -> None:
    place.mkdir(parents=True)
    if kind not in WITH_WEIGHTS:
        (place / "config.json").write_text(json.dumps(values))
        return
    from sentence_transformers.sentence_transformer import modules as library

    torch.manual_seed(1)
    module = getattr(library, kind)(**values)
    for weight in module.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    module.save(str(place))


BERT = family("BertModel", "BertConfig")
MEAN = ("Pooling", {"embedding_dimension": WIDTH, "pooling_mode": "mean"})
CLS = ("Pooling", {"word_embedding_dimension": WIDTH, "pooling_mode_cls_token": True})
LAST = ("Pooling", {"embedding_dimension": WIDTH, "pooling_mode": "lasttoken"})
NORMALIZE: tuple[str, dict[str, Any]] = ("Normalize", {})
PROMPT = {"prompts": {"query": "dogs bark: ", "document": ""}, "default_prompt_name": "query"}
PLAIN = {
    "transformer_task": "feature-extraction",
    "modality_config": {
        "text": {"method": "forward", "method_output_name": "last_hidden_state"}
    },
    "module_output_name": "token_embeddings",
}


def pooling(**values: Any) -> tuple[str, dict[str, Any]]:
    """A Pooling module of the tiny width."""
    return ("Pooling", {"embedding_dimension": WIDTH, **values})


def dense(out: int = 10, inner: int = WIDTH, **values: Any) -> tuple[str, dict[str, Any]]:
    """A Dense module."""
    return ("Dense", {"in_features": inner, "out_features": out, **values})


def output(*names: Any, to: str = "token_embeddings") -> dict[str, Any]:
    """Settings that pool another output of the transformer."""
    name = names[0] if len(names) == 1 else list(names)
    return {
        "modality_config": {"text": {"method": "forward", "method_output_name": name}},
        "module_output_name": to,
    }


CUSTOM_TRANSFORMER = """
from sentence_transformers.sentence_transformer.modules import Transformer as Plain
class Transformer(Plain):
    def forward(self, features, **kwargs):
        features = super().forward(features, **kwargs)
        features["token_embeddings"] = -2 * features["token_embeddings"]
        return features
"""
CUSTOM_HEAD = """
import torch
from sentence_transformers.sentence_transformer.modules import Normalize
from pathlib import Path
class Head(Normalize):
    @classmethod
    def load(cls, folder, **kwargs):
        head = cls()
        head.scale = float(Path(folder, "data", "scale.txt").read_text())
        return head
    def forward(self, features):
        features["sentence_embedding"] = torch.tanh(self.scale * features["sentence_embedding"])
        return features
"""


CUSTOM_MODEL = """
from pathlib import Path
from transformers import BertConfig, BertModel
class OddConfig(BertConfig):
    model_type = "odd"
class OddModel(BertModel):
    config_class = OddConfig
    def __init__(self, config, **kwargs):
        super().__init__(config, **kwargs)
        self.table = Path(config.name_or_path, "table.csv").read_text()
"""
SILENT_MODEL = """
from torch import nn
from transformers import GPT2Config, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput
class SilentConfig(GPT2Config):
    model_type = "silent"
class SilentModel(PreTrainedModel):
    config_class = SilentConfig
    def __init__(self, config, **kwargs):
        super().__init__(config)
        self.embeddings = nn.Embedding(200, config.n_embd)
        self.post_init()
    def forward(self, input_ids, attention_mask=None, token_type_ids=None, return_dict=None):
        return BaseModelOutput(last_hidden_state=self.embeddings(input_ids))
"""


def silent(folder: Path) -> Path:
    """A model whose own code shows no hidden states but the last, as nomic-embed-text."""
    from safetensors.torch import save_file

    tokenizer_of(limit=None).save_pretrained(folder)
    weights = {"embeddings.weight": torch.randn(200, WIDTH)}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    classes = {"AutoConfig": "silent.SilentConfig", "AutoModel": "silent.SilentModel"}
    change(folder / "config.json", model_type="silent", auto_map=classes)
    change(folder / "config.json", n_embd=WIDTH, n_layer=2, n_head=2, n_positions=LIMIT)
    (folder / "silent.py").write_text(SILENT_MODEL)
    return folder


CUSTOM_MAP = {
    "model_type": "odd",
    "auto_map": {"AutoConfig": "odd.OddConfig", "AutoModel": "odd.OddModel"},
}


@dataclass(frozen=True)
class Model:
    """One model of the zoo.

    Attributes:
        make: writes it into a folder.
        limit: tokens it must be seen to take.
        unlimited: whether the library knows no limit, or one that the model cannot take.
        trust: whether its code may run.
        refused: what the one line says; '' for models that work.
        tokens: whether it has hidden states to compare.
        differs: whether it is right where the library is not.
    """

    make: Callable[[Path], Path]
    limit: int = LIMIT
    unlimited: bool = False
    trust: bool = False
    refused: str = ""
    tokens: bool = True
    differs: bool = False
    texts: tuple[str, ...] = field(default_factory=lambda: TEXTS)


TEXTS = (
    *SENTENCES,
    " ".join(SENTENCES),
    "Dogs BARK at THE Cat",
    "  rain\n rain ",
    "x",
    "雨 ☔ naïve",
)
T5 = {
    "d_model": WIDTH,
    "d_kv": 8,
    "d_ff": 32,
    "num_layers": 2,
    "num_heads": 2,
    "decoder_start_token_id": 0,
    **dict.fromkeys(
        (
            "hidden_size",
            "num_hidden_layers",
            "num_attention_heads",
            "intermediate_size",
            "max_position_embeddings",
        )
    ),
}


def set_values(folder: Path, name: str, **values: Any) -> Path:
    change(folder / name, **values)
    return folder


def drop_key(folder: Path, name: str, key: str) -> Path:
    found = json.loads((folder / name).read_text())
    del found[key]
    (folder / name).write_text(json.dumps(found))
    return folder


def remove_file(folder: Path, name: str) -> Path:
    (folder / name).unlink()
    return folder


def rename_file(folder: Path, name: str, other: str) -> Path:
    (folder / name).rename(folder / other)
    return folder


def write_file(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder
