"""Stacks of sentence-transformers' modules and settings, as models on the hub have them."""

from __future__ import annotations

import torch

from tests.support.zoo.building import (
    BERT,
    CLS,
    CUSTOM_HEAD,
    CUSTOM_MAP,
    CUSTOM_MODEL,
    CUSTOM_TRANSFORMER,
    DECODER,
    LAST,
    MEAN,
    NORMALIZE,
    PLAIN,
    PROMPT,
    T5,
    WIDTH,
    Model,
    dense,
    drop_key,
    family,
    output,
    pooling,
    rename_file,
    set_values,
    silent,
    stack,
    tokenizer_of,
)
from tests.support.zoo.families import LEFT, cut_on_the_left, xlnet

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
        lambda folder: rename_file(
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
        lambda folder: set_values(
            drop_key(BERT(folder), "tokenizer_config.json", "model_max_length"),
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
