"""The encoder's tokens per second beside sentence-transformers' on the same device.

The model has the size of all-MiniLM-L6-v2 and random weights from a seed.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tokenizers
import torch
import transformers
from sentence_transformers import SentenceTransformer
from tokenizers import models, pre_tokenizers, processors

from features.encoders.description.model import EncoderModel, find_model
from features.encoders.transformer import TransformerEncoder
from features.encoding.plan import plan_encoding
from features.encoding.serial import encode
from features.store.store import FeatureStore

if TYPE_CHECKING:
    from benchmarks.gpu.__main__ import Report

WORDS = 8000
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
ROUNDS = 3


def save_encoder(folder: Path) -> Path:
    """Write a sentence-transformers folder: BERT of 6 layers and width 384, mean."""
    folder.mkdir(parents=True)
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *words()])}
    tokenizer = tokenizers.Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=256,
    ).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=30522,
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=12,
        intermediate_size=1536,
        max_position_embeddings=512,
    )
    torch.manual_seed(0)
    transformers.BertModel(config).eval().save_pretrained(folder)
    kinds = ("Transformer", "Pooling", "Normalize")
    modules = [
        {
            "idx": place,
            "name": str(place),
            "path": "" if place == 0 else f"{place}_{kind}",
            "type": f"sentence_transformers.models.{kind}",
        }
        for place, kind in enumerate(kinds)
    ]
    pooling = {"word_embedding_dimension": 384, "pooling_mode_mean_tokens": True}
    files = {
        "modules.json": modules,
        "sentence_bert_config.json": {"max_seq_length": 256, "do_lower_case": False},
        "1_Pooling/config.json": pooling,
    }
    (folder / "2_Normalize").mkdir()
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content), "utf-8")
    return folder


def words() -> list[str]:
    """Return distinct made-up words."""
    return [f"w{number}" for number in range(WORDS)]


def made_up_texts(count: int, tokens: int = 28) -> list[str]:
    """Return texts of about that many tokens."""
    random = np.random.default_rng(0)
    lengths = np.clip(random.lognormal(np.log(tokens) - 0.15, 0.55, count), 2, 250).astype(int)
    every = words()
    return [" ".join(every[i] for i in random.integers(0, WORDS, n)) for n in lengths]


def compare(report: Report, device: str, count: int) -> None:
    """Time both sides in turn, in float32 and bfloat16."""
    texts = made_up_texts(count)
    with tempfile.TemporaryDirectory() as root:
        folder = save_encoder(Path(root) / "encoder")
        with report.part("encoding", "load") as values:
            if values is None:
                return
            model = find_model(str(folder))
            ours = TransformerEncoder(model, device)
            large = TransformerEncoder(model, device, 4 * ours.token_budget)
            theirs = SentenceTransformer(str(folder), device=device)
            values["pooling"], values["token budget"] = model.pooling, ours.token_budget
        if "error" in values:
            return
        sides: dict[str, Callable[[], np.ndarray]] = {
            "sentence-transformers, defaults": lambda: theirs.encode(texts),
            "sentence-transformers, batch_size=256": lambda: theirs.encode(
                texts, batch_size=256
            ),
            "ours, float32": lambda: vectors(ours, model, texts, "float32"),
            "ours, bfloat16": lambda: vectors(ours, model, texts, "bfloat16"),
            "ours, bfloat16, stored": lambda: stored(ours, model, texts, "bfloat16"),
            "ours, bfloat16, four times the budget": lambda: vectors(
                large, model, texts, "bfloat16"
            ),
        }
        block = ours.encode(texts, [model.spec("pooled")], lambda *_: None)[0]
        tokens = int(block.tokens.sum())
        reference = theirs.encode(texts)
        for name, call in sides.items():
            with report.part("encoding", name) as values:
                if values is not None:
                    time_side(values, call, tokens, reference)
        with report.part(
            "encoding", "sentence-transformers, bfloat16, batch_size=256"
        ) as values:
            if values is not None:
                theirs.bfloat16()
                call = sides["sentence-transformers, batch_size=256"]
                time_side(values, lambda: np.asarray(call(), np.float32), tokens, reference)


def time_side(
    values: dict[str, Any], call: Callable[[], np.ndarray], tokens: int, reference: np.ndarray
) -> None:
    """Note tokens per second of the fastest round, and how like the vectors are."""
    seconds = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        found = call()
        seconds.append(time.perf_counter() - begun)
    values["seconds"] = round(min(seconds[1:]), 4)
    values["tokens per second"] = round(tokens / min(seconds[1:]))
    likeness = (found * reference).sum(axis=1) / np.linalg.norm(found, axis=1)
    values["smallest cosine"] = float((likeness / np.linalg.norm(reference, axis=1)).min())


def vectors(
    encoder: TransformerEncoder, model: EncoderModel, texts: list[str], precision: str
) -> np.ndarray:
    """Return (N, D) float32 pooled vectors, tokenizing included."""
    spec = model.spec("pooled", precision=precision)
    return encoder.encode(texts, [spec], lambda *_: None)[0].values.astype(np.float32)


def stored(
    encoder: TransformerEncoder, model: EncoderModel, texts: list[str], precision: str
) -> np.ndarray:
    """Return (N, D) float32 pooled vectors, encoded into a fresh store and read from it."""
    with tempfile.TemporaryDirectory() as folder:
        space = FeatureStore(folder).space(model.spec("pooled", precision=precision))
        plan = plan_encoding(texts, [space])
        encode(plan, texts, [space], lambda: encoder)
        return space.table(plan.keys).values.astype(np.float32)
