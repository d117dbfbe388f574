"""Tiny random models of many families and module stacks, made in code when asked for."""

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


def chatting(folder: Path) -> Path:
    """A decoder whose texts the library puts into a chat template."""
    tokenizer = tokenizer_of(end=True, side="left")
    tokenizer.chat_template = (
        "{% for m in messages %}dogs {{ m['content'] if m['content'] is string else "
        "m['content'][0]['text'] }} bark{% endfor %}"
    )
    return save(folder, "Qwen2ForCausalLM", transformers.Qwen2Config(**DECODER), tokenizer)


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


def without_padding() -> Any:
    """A tokenizer that has no padding token at all, as GPT-2's."""
    tokenizer = tokenizer_of(end=True)
    tokenizer.pad_token = None
    return tokenizer


def cut_on_the_left(folder: Path) -> Path:
    """A BERT that sees the ends of long texts."""
    tokenizer = tokenizer_of()
    tokenizer.truncation_side = "left"
    return save(folder, "BertModel", transformers.BertConfig(**SMALL), tokenizer)


def xlnet(folder: Path) -> Path:
    """XLNet, with CLS last."""
    from tests.support.transformers import save_xlnet

    return save_xlnet(folder)


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

LEFT = {"end": True, "side": "left"}
FAMILIES = {
    "bert": Model(BERT),
    "roberta": Model(
        family(
            "RobertaModel",
            "RobertaConfig",
            lambda: tokenizer_of(limit=None),
            max_position_embeddings=34,
            pad_token_id=1,
            type_vocab_size=1,
        ),
        unlimited=True,
    ),
    "roberta-padding-3": Model(
        family(
            "RobertaModel",
            "RobertaConfig",
            lambda: tokenizer_of(limit=None),
            max_position_embeddings=36,
            pad_token_id=3,
            type_vocab_size=1,
        ),
        unlimited=True,
    ),
    "xlm-roberta": Model(
        family(
            "XLMRobertaModel",
            "XLMRobertaConfig",
            max_position_embeddings=34,
            pad_token_id=1,
        )
    ),
    "camembert": Model(
        family("CamembertModel", "CamembertConfig", max_position_embeddings=34, pad_token_id=1)
    ),
    "distilbert": Model(
        family(
            "DistilBertModel",
            "DistilBertConfig",
            dim=WIDTH,
            n_layers=2,
            n_heads=2,
            hidden_dim=32,
            hidden_size=None,
            num_hidden_layers=None,
            num_attention_heads=None,
        )
    ),
    "mpnet": Model(family("MPNetModel", "MPNetConfig", max_position_embeddings=34)),
    "albert": Model(family("AlbertModel", "AlbertConfig", embedding_size=8)),
    "electra": Model(family("ElectraModel", "ElectraConfig", embedding_size=8)),
    "deberta-v2": Model(
        family(
            "DebertaV2Model",
            "DebertaV2Config",
            relative_attention=True,
            pos_att_type=["c2p", "p2c"],
            position_biased_input=False,
        )
    ),
    "ernie": Model(family("ErnieModel", "ErnieConfig")),
    "roformer": Model(family("RoFormerModel", "RoFormerConfig", embedding_size=WIDTH)),
    "squeezebert": Model(family("SqueezeBertModel", "SqueezeBertConfig", embedding_size=WIDTH)),
    "longformer": Model(
        family(
            "LongformerModel",
            "LongformerConfig",
            attention_window=8,
            max_position_embeddings=34,
            pad_token_id=1,
        )
    ),
    "modernbert": Model(
        family(
            "ModernBertModel",
            "ModernBertConfig",
            pad_token_id=0,
            cls_token_id=2,
            sep_token_id=3,
            bos_token_id=2,
            eos_token_id=3,
            global_attn_every_n_layers=2,
            local_attention=8,
        )
    ),
    "xlnet": Model(xlnet, limit=512, unlimited=True),
    "mobilebert": Model(
        family(
            "MobileBertModel",
            "MobileBertConfig",
            embedding_size=WIDTH,
            intra_bottleneck_size=8,
            true_hidden_size=8,
            num_feedforward_networks=1,
        )
    ),
    "convbert": Model(
        family(
            "ConvBertModel",
            "ConvBertConfig",
            embedding_size=WIDTH,
            conv_kernel_size=3,
            head_ratio=1,
        )
    ),
    "fnet": Model(family("FNetModel", "FNetConfig", num_attention_heads=None)),
    "yoso": Model(family("YosoModel", "YosoConfig", use_expectation=True)),
    "big-bird": Model(
        family("BigBirdModel", "BigBirdConfig", block_size=4, num_random_blocks=1)
    ),
    "nystromformer": Model(
        family(
            "NystromformerModel",
            "NystromformerConfig",
            num_landmarks=LIMIT,
            segment_means_seq_len=LIMIT,
        )
    ),
    "gpt2": Model(
        family(
            "GPT2LMHeadModel",
            "GPT2Config",
            lambda: tokenizer_of(end=True, limit=None),
            n_positions=LIMIT,
            n_embd=WIDTH,
            n_layer=2,
            n_head=2,
            n_inner=32,
            hidden_size=None,
            num_hidden_layers=None,
            num_attention_heads=None,
            intermediate_size=None,
            max_position_embeddings=None,
            pad_token_id=0,
        )
    ),
    "gpt2-without-padding": Model(
        family(
            "GPT2Model",
            "GPT2Config",
            without_padding,
            n_positions=LIMIT,
            n_embd=WIDTH,
            n_layer=2,
            n_head=2,
            n_inner=32,
            hidden_size=None,
            num_hidden_layers=None,
            num_attention_heads=None,
            intermediate_size=None,
            max_position_embeddings=None,
        )
    ),
    "qwen2-left": Model(
        family("Qwen2ForCausalLM", "Qwen2Config", lambda: tokenizer_of(**LEFT), **DECODER)
    ),
    "chat": Model(chatting),
    "qwen3": Model(
        stack(
            LAST,
            NORMALIZE,
            make=family("Qwen3Model", "Qwen3Config", lambda: tokenizer_of(**LEFT), **DECODER),
        )
    ),
    "llama": Model(
        stack(
            LAST,
            make=family("LlamaModel", "LlamaConfig", lambda: tokenizer_of(end=True), **DECODER),
        )
    ),
    "mistral": Model(
        stack(
            MEAN,
            make=family(
                "MistralModel",
                "MistralConfig",
                lambda: tokenizer_of(**LEFT),
                **{**DECODER, "sliding_window": 8},
            ),
        )
    ),
    "gemma3-text": Model(
        stack(
            MEAN,
            dense(),
            NORMALIZE,
            make=family(
                "Gemma3TextModel",
                "Gemma3TextConfig",
                **{**DECODER, "layer_types": ["full_attention"] * 2},
            ),
        )
    ),
}
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
STACKS = {
    "mean-normalize": Model(stack(MEAN, NORMALIZE, settings=PLAIN, whole={"prompts": {}})),
    "cls-old-form": Model(
        stack(CLS, settings={"max_seq_length": 9, "do_lower_case": False}), 9
    ),
    "max": Model(stack(pooling(pooling_mode="max"))),
    "cls-decoder": Model(
        stack(
            CLS,
            make=family("Qwen2Model", "Qwen2Config", lambda: tokenizer_of(**LEFT), **DECODER),
        )
    ),
    "two-poolings": Model(stack(pooling(pooling_mode=["mean", "max"]))),
    "weightedmean": Model(stack(pooling(pooling_mode="weightedmean"))),
    "sqrt-mean": Model(stack(pooling(pooling_mode_mean_sqrt_len_tokens=True))),
    "prompt": Model(stack(MEAN, whole=PROMPT)),
    "prompt-left-out": Model(
        stack(pooling(pooling_mode="mean", include_prompt=False), whole=PROMPT)
    ),
    "prompt-left-out-decoder": Model(
        stack(
            pooling(pooling_mode="weightedmean", include_prompt=False),
            whole=PROMPT,
            make=family("LlamaModel", "LlamaConfig", lambda: tokenizer_of(**LEFT), **DECODER),
        )
    ),
    "dense": Model(stack(MEAN, dense(), NORMALIZE)),
    "dense-identity": Model(
        stack(CLS, dense(activation_function=torch.nn.Identity()), path="0_Transformer")
    ),
    "layer-norm": Model(
        stack(MEAN, ("LayerNorm", {"dimension": WIDTH}), ("Dropout", {"dropout": 0.3}))
    ),
    "weighted-layers": Model(
        stack(
            (
                "WeightedLayerPooling",
                {"embedding_dimension": WIDTH, "num_hidden_layers": 2, "layer_start": 1},
            ),
            MEAN,
            config={"output_hidden_states": True},
        )
    ),
    "word-weights": Model(
        stack(
            (
                "WordWeights",
                {"vocab": [str(i) for i in range(200)], "word_weights": {"7": 3.0}},
            ),
            MEAN,
        )
    ),
    "cnn": Model(
        stack(
            (
                "CNN",
                {"in_embedding_dimension": WIDTH, "out_channels": 7, "kernel_sizes": [1, 3, 5]},
            ),
            pooling(embedding_dimension=21, pooling_mode="max"),
        )
    ),
    "truncated": Model(stack(MEAN, whole={"truncate_dim": 5})),
    "lower-case": Model(stack(MEAN, settings={"do_lower_case": True})),
    "lower-case-already": Model(
        stack(
            MEAN,
            settings={"do_lower_case": True},
            make=family("BertModel", "BertConfig", lambda: tokenizer_of(lower=True)),
        )
    ),
    "called-with-8": Model(
        stack(MEAN, settings={**PLAIN, "processing_kwargs": {"text": {"max_length": 8}}}), 8
    ),
    "no-special-tokens": Model(
        stack(MEAN, settings={"processing_kwargs": {"text": {"add_special_tokens": False}}})
    ),
    "limit-of-the-processor": Model(
        stack(MEAN, settings={"processor_kwargs": {"model_max_length": 12}}), 12
    ),
    "limit-beyond-the-tokenizer": Model(
        stack(
            MEAN,
            settings={"max_seq_length": 20},
            make=family("BertModel", "BertConfig", lambda: tokenizer_of(limit=10)),
        ),
        20,
    ),
    "other-activation": Model(stack(MEAN, settings={"config_kwargs": {"hidden_act": "relu"}})),
    "old-names": Model(
        stack(
            MEAN,
            settings={
                "config_args": {"hidden_act": "relu"},
                "model_args": {"torch_dtype": "float16"},
            },
        )
    ),
    "old-settings-file": Model(
        lambda folder: _rename(
            stack(MEAN, settings={"max_seq_length": 7, "do_lower_case": True})(folder),
            "sentence_bert_config.json",
            "sentence_xlm-roberta_config.json",
        ),
        7,
    ),
    "limit-beyond-the-positions": Model(
        stack(MEAN, settings={"max_seq_length": 50}), unlimited=True
    ),
    "limit-beyond-rotations": Model(
        stack(
            LAST,
            settings={"max_seq_length": 50},
            make=family("Qwen2Model", "Qwen2Config", lambda: tokenizer_of(**LEFT), **DECODER),
        ),
        50,
    ),
    "no-limit-but-positions": Model(
        stack(MEAN, make=family("BertModel", "BertConfig", lambda: tokenizer_of(limit=None)))
    ),
    "cut-on-the-left": Model(stack(CLS, make=cut_on_the_left)),
    "limit-beyond-distances": Model(
        stack(
            MEAN,
            settings={"max_seq_length": 50},
            make=family(
                "DebertaV2Model",
                "DebertaV2Config",
                relative_attention=True,
                pos_att_type=["c2p"],
                position_biased_input=False,
            ),
        ),
        50,
    ),
    "limit-by-its-old-name": Model(
        lambda folder: _set(
            _drop(BERT(folder), "tokenizer_config.json", "model_max_length"),
            "tokenizer_config.json",
            max_len=9,
        ),
        9,
    ),
    "fewer-layers": Model(
        stack(MEAN, settings={"config_kwargs": {"num_hidden_layers": 1}}),
    ),
    "normalized-and-truncated": Model(stack(MEAN, NORMALIZE, whole={"truncate_dim": 5})),
    "normalized-tokens": Model(
        stack(MEAN, ("Normalize", {"module_input_name": "token_embeddings"}))
    ),
    "clip-text": Model(
        family(
            "CLIPTextModel",
            "CLIPTextConfig",
            lambda: tokenizer_of(end=True),
            eos_token_id=3,
            bos_token_id=2,
            pad_token_id=0,
        )
    ),
    "silent": Model(stack(MEAN, NORMALIZE, make=silent), trust=True, tokens=False),
    "esm-with-a-table": Model(
        family(
            "EsmModel",
            "EsmConfig",
            lambda: tokenizer_of(limit=None),
            pad_token_id=1,
            mask_token_id=4,
            position_embedding_type="absolute",
            max_position_embeddings=34,
        ),
        unlimited=True,
    ),
    "bloom-beyond-its-positions": Model(
        stack(
            MEAN,
            settings={"max_seq_length": 50},
            make=family(
                "BloomModel",
                "BloomConfig",
                lambda: tokenizer_of(**LEFT),
                n_layer=2,
                n_head=2,
                num_hidden_layers=None,
                num_attention_heads=None,
                pad_token_id=0,
            ),
        ),
        50,
    ),
    "no-pictures": Model(stack(MEAN, config={"vision_config": None})),
    "empty-prompt": Model(stack(MEAN, whole={"default_prompt_name": "query"})),
    "first-layer": Model(stack(MEAN, settings=output("hidden_states", 1))),
    "pooler-output": Model(stack(settings=output("pooler_output", to="sentence_embedding"))),
    "untied": Model(
        stack(
            MEAN,
            make=family("Qwen2Model", "Qwen2Config", lambda: tokenizer_of(**LEFT), **DECODER),
            config={"tie_last_hidden_states": False},
        )
    ),
    "t5": Model(stack(MEAN, dense(), NORMALIZE, make=family("T5Model", "T5Config", **T5))),
    "mt5-encoder": Model(stack(MEAN, make=family("MT5EncoderModel", "MT5Config", **T5))),
    "own-transformer": Model(
        stack(MEAN, first="own.Transformer", files={"own.py": CUSTOM_TRANSFORMER}), trust=True
    ),
    "own-model": Model(
        stack(MEAN, config=CUSTOM_MAP, files={"odd.py": CUSTOM_MODEL, "table.csv": "1"}),
        trust=True,
    ),
    "with-a-card": Model(stack(MEAN, dense(), files={"README.md": "read me"})),
    "own-head": Model(
        stack(MEAN, ("head.Head", {}), files={"head.py": CUSTOM_HEAD, "data/scale.txt": "3"}),
        trust=True,
    ),
    "xlnet-cls": Model(stack(CLS, make=xlnet), limit=512, unlimited=True, differs=True),
}
REFUSED = {
    "own-transformer-untrusted": Model(
        stack(MEAN, first="own.Transformer", files={"own.py": CUSTOM_TRANSFORMER}),
        refused=r"own\.Transformer with Python code.*--trust-remote-code",
    ),
    "own-head-untrusted": Model(
        stack(MEAN, ("head.Head", {}), files={"head.py": CUSTOM_HEAD}),
        refused=r"head\.Head with Python code.*--trust-remote-code",
    ),
    "code-elsewhere": Model(
        stack(MEAN, ("os.Head", {})), trust=True, refused=r"not beside it.*os\.py"
    ),
    "bart": Model(
        family(
            "BartModel",
            "BartConfig",
            d_model=WIDTH,
            encoder_layers=2,
            decoder_layers=2,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            hidden_size=None,
        ),
        refused="bart.*encoder with a decoder",
    ),
    "clip": Model(
        lambda folder: save(
            folder,
            "CLIPModel",
            transformers.CLIPConfig(
                text_config={**SMALL, "projection_dim": 8},
                vision_config={
                    "hidden_size": 16,
                    "num_hidden_layers": 1,
                    "num_attention_heads": 2,
                    "intermediate_size": 32,
                    "image_size": 8,
                    "patch_size": 4,
                    "projection_dim": 8,
                },
            ),
        ),
        refused="clip.*made of several",
    ),
    "canine": Model(
        family("CanineModel", "CanineConfig"), refused="one hidden state per token in layer 2"
    ),
    "colbert": Model(
        stack(dense(), ("sentence_transformers.multi_vector_encoder.modules.Mask", {})),
        refused="Mask, which belongs to models that do not give one vector",
    ),
    "reranker": Model(
        stack(MEAN, whole={"model_type": "CrossEncoder"}), refused="is a CrossEncoder"
    ),
    "lstm": Model(
        stack(
            ("LSTM", {"embedding_dimension": WIDTH, "hidden_dim": 4}),
            pooling(embedding_dimension=8, pooling_mode="mean"),
        ),
        refused="LSTM module needs the lengths",
    ),
    "bag-of-words": Model(stack(first="BoW"), refused="first module is a Transformer"),
    "router": Model(stack(first="Router"), refused="first module is a Transformer"),
    "dense-without-weights": Model(
        lambda folder: _remove(stack(MEAN, dense())(folder), "2_Dense/model.safetensors"),
        refused="Dense.*has no weights in safetensors",
    ),
    "dense-in-pickle": Model(
        lambda folder: _rename(
            stack(MEAN, dense())(folder),
            "2_Dense/model.safetensors",
            "2_Dense/pytorch_model.bin",
        ),
        refused="2_Dense has its weights in pytorch_model.bin only, which is pickle",
    ),
    "adapter": Model(
        stack(MEAN, files={"adapter_config.json": "{}"}),
        refused="an adapter beside it.*merge it",
    ),
    "weights-elsewhere": Model(
        stack(
            MEAN,
            files={
                "model.safetensors.index.json": json.dumps(
                    {"weight_map": {"a": "other.safetensors"}}
                )
            },
        ),
        refused=r"names weights other than model\.safetensors: other\.safetensors",
    ),
    "another-task": Model(
        stack(MEAN, settings={"transformer_task": "fill-mask"}), refused="made for fill-mask"
    ),
    "tokenizer-elsewhere": Model(
        stack(MEAN, settings={"tokenizer_name_or_path": "else/where"}),
        refused="takes its tokenizer from elsewhere",
    ),
    "other-files": Model(
        stack(MEAN, settings={"model_kwargs": {"gguf_file": "x"}}), refused="names gguf_file"
    ),
    "odd-limit": Model(
        stack(MEAN, settings={"max_seq_length": "many"}), refused="'many', which is no number"
    ),
    "narrower-states": Model(
        family(
            "OPTModel",
            "OPTConfig",
            lambda: tokenizer_of(end=True),
            ffn_dim=32,
            word_embed_proj_dim=8,
            do_layer_norm_before=False,
        ),
        refused="does not give one hidden state per token in layer 2, of 16 numbers",
    ),
    "limit-in-the-code": Model(
        lambda folder: _drop(
            stack(
                LAST,
                dense(),
                make=family(
                    "Qwen2Model",
                    "Qwen2Config",
                    lambda: tokenizer_of(**LEFT, limit=None),
                    **DECODER,
                ),
            )(folder),
            "config.json",
            "max_position_embeddings",
        ),
        refused="does not say how many tokens it sees, and its library takes 32768",
    ),
    "other-shapes": Model(
        stack(MEAN, config={"vocab_size": 150}), refused="weights have other shapes than"
    ),
    "dense-of-other-names": Model(
        lambda folder: _set(
            stack(MEAN, dense())(folder), "2_Dense/config.json", use_residual=True
        ),
        refused=r"Dense: Missing key\(s\).*residual",
    ),
    "no-such-activation": Model(
        lambda folder: _set(
            stack(MEAN, dense())(folder),
            "2_Dense/config.json",
            activation_function="torch.os.system",
        ),
        refused="No module named 'torch.os'; copy it again",
    ),
    "no-activation": Model(
        lambda folder: _set(
            stack(MEAN, dense())(folder), "2_Dense/config.json", activation_function=None
        ),
        refused="names the activation None",
    ),
    "odd-processing": Model(
        stack(MEAN, settings={"processing_kwargs": {"text": 3}}),
        refused="holds more than objects",
    ),
    "odd-cnn": Model(
        lambda folder: _set(
            stack(
                ("CNN", {"in_embedding_dimension": WIDTH, "out_channels": 7}),
                pooling(embedding_dimension=21),
            )(folder),
            "1_CNN/cnn_config.json",
            kernel_sizes=3,
        ),
        refused="do not state their sizes",
    ),
    "odd-normalizer": Model(
        lambda folder: _set(
            stack(MEAN, settings={"do_lower_case": True})(folder),
            "tokenizer.json",
            normalizer={"normalizers": 3},
        ),
        refused="cannot be loaded",
    ),
    "odd-option": Model(
        stack(MEAN, settings={"processing_kwargs": {"text": {"odd": 3, "padding": "so"}}}),
        refused="fails on these texts",
    ),
    "odd-config": Model(
        stack(MEAN, config={"num_attention_heads": 7}), refused="cannot be loaded"
    ),
    "odd-pooling": Model(stack(pooling(pooling_mode="none")), refused="cannot be loaded"),
    "no-pooling": Model(
        stack(), refused=r"fails on these texts \(KeyError: 'sentence_embedding'"
    ),
    "odd-modules": Model(
        lambda folder: _write(stack(MEAN)(folder), "modules.json", '{"a": 1}'),
        refused="no list of modules",
    ),
    "odd-prompt": Model(
        stack(MEAN, whole={"default_prompt_name": "ask", "prompts": {}}),
        refused="names 'ask' as its default prompt, and has none",
    ),
    "newer-library": Model(
        stack(MEAN, whole={"requirements": {"sentence_transformers": ">=99"}}),
        refused="cannot be loaded",
    ),
    "outside": Model(
        lambda folder: _write(
            stack(MEAN)(folder),
            "modules.json",
            json.dumps([{"type": f"{LIBRARY}Transformer", "path": "../x"}]),
        ),
        refused="names a folder outside",
    ),
}
ZOO = {**FAMILIES, **STACKS}


def _set(folder: Path, name: str, **values: Any) -> Path:
    change(folder / name, **values)
    return folder


def _drop(folder: Path, name: str, key: str) -> Path:
    found = json.loads((folder / name).read_text())
    del found[key]
    (folder / name).write_text(json.dumps(found))
    return folder


def _remove(folder: Path, name: str) -> Path:
    (folder / name).unlink()
    return folder


def _rename(folder: Path, name: str, other: str) -> Path:
    (folder / name).rename(folder / other)
    return folder


def _write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder
