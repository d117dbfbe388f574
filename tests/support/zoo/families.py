"""Model families of transformers, each with its own kind of positions, masks and padding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers

from tests.support.zoo.building import (
    BERT,
    DECODER,
    LAST,
    LIMIT,
    MEAN,
    NORMALIZE,
    SMALL,
    WIDTH,
    Model,
    dense,
    family,
    save,
    stack,
    tokenizer_of,
)


def chatting(folder: Path) -> Path:
    """A decoder whose texts the library puts into a chat template."""
    tokenizer = tokenizer_of(end=True, side="left")
    tokenizer.chat_template = (
        "{% for m in messages %}dogs {{ m['content'] if m['content'] is string else "
        "m['content'][0]['text'] }} bark{% endfor %}"
    )
    return save(folder, "Qwen2ForCausalLM", transformers.Qwen2Config(**DECODER), tokenizer)


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
