"""Stand-ins with answers known by hand: a counting encoder, and tiny real transformers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tokenizers
import torch
import transformers
from tokenizers import models, pre_tokenizers, processors, trainers

from tests.support.encoders import WIDTH, CountingEncoder, fake_vectors, spec

__all__ = ["SENTENCES", "WIDTH", "CountingEncoder", "fake_vectors", "spec"]

SENTENCES = [
    "a cat sat on the mat",
    "dogs bark",
    "the quick brown fox jumps over the lazy dog again and again until night",
    "rain",
    "nobody expected that the small red boat would ever come back to this harbour",
    "she laughed out loud",
    "one two three four five six seven eight nine ten eleven twelve",
]


def _tokenizer(
    special: Sequence[str], template: str, ids: dict[str, str]
) -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(models.BPE(unk_token=ids["unk"]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(
        vocab_size=200, special_tokens=list(special), show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    names = [piece.partition(":")[0] for piece in template.split() if piece[0] != "$"]
    pairs = [(name, tokenizer.token_to_id(name)) for name in names]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=pairs
    )
    return tokenizer


def save_bert(folder: Path, seed: int = 0) -> Path:
    """A BERT of 2 layers and width 16 with a real tokenizer; pads on the right."""
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=_tokenizer(
            ["[PAD]", "[UNK]", "[CLS]", "[SEP]"], "[CLS] $A [SEP]", {"unk": "[UNK]"}
        ),
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=32,
    )
    config = transformers.BertConfig(
        vocab_size=200,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    return _save(folder, transformers.BertModel, config, tokenizer, seed)


def save_roberta(folder: Path) -> Path:
    """A RoBERTa of 2 layers and width 16: positions start behind the padding index."""
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=_tokenizer(
            ["<s>", "<pad>", "</s>", "<unk>"], "<s> $A </s>", {"unk": "<unk>"}
        ),
        pad_token="<pad>",
        unk_token="<unk>",
        cls_token="<s>",
        sep_token="</s>",
    )
    config = transformers.RobertaConfig(
        vocab_size=200,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=34,
        pad_token_id=1,
        type_vocab_size=1,
    )
    return _save(folder, transformers.RobertaModel, config, tokenizer)


def save_xlnet(folder: Path) -> Path:
    """An XLNet of 2 layers and width 16: pads on the left, CLS last in a segment of its own."""
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=_tokenizer(
            ["<unk>", "<pad>", "<sep>", "<cls>"], "$A:0 <sep>:0 <cls>:2", {"unk": "<unk>"}
        ),
        pad_token="<pad>",
        unk_token="<unk>",
        cls_token="<cls>",
        sep_token="<sep>",
        padding_side="left",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        pad_token_type_id=3,
    )
    config = transformers.XLNetConfig(
        vocab_size=200, d_model=16, n_layer=2, n_head=2, d_inner=32, use_mems_eval=True
    )
    return _save(folder, transformers.XLNetModel, config, tokenizer)


def save_fnet(folder: Path) -> Path:
    """An FNet of 2 layers and width 16: it has no mask, so padding changes every vector."""
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=_tokenizer(
            ["<pad>", "<unk>", "[CLS]", "[SEP]"], "[CLS] $A [SEP]", {"unk": "<unk>"}
        ),
        pad_token="<pad>",
        unk_token="<unk>",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=32,
        model_input_names=["input_ids", "token_type_ids"],
    )
    config = transformers.FNetConfig(
        vocab_size=200,
        hidden_size=16,
        num_hidden_layers=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    return _save(folder, transformers.FNetModel, config, tokenizer)


def _save(folder: Path, kind: type, config: object, tokenizer: object, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    kind(config).eval().save_pretrained(folder)  # type: ignore[attr-defined]
    tokenizer.save_pretrained(folder)  # type: ignore[attr-defined]
    return folder
