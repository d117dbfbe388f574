"""Models that must be refused in one line, and a part of that line."""

from __future__ import annotations

import json

import transformers

from tests.support.zoo.building import (
    CUSTOM_HEAD,
    CUSTOM_TRANSFORMER,
    DECODER,
    LAST,
    LIBRARY,
    MEAN,
    SMALL,
    WIDTH,
    Model,
    dense,
    drop_key,
    family,
    pooling,
    remove_file,
    rename_file,
    save,
    set_values,
    stack,
    tokenizer_of,
    write_file,
)
from tests.support.zoo.families import LEFT

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
        lambda folder: remove_file(stack(MEAN, dense())(folder), "2_Dense/model.safetensors"),
        refused="Dense.*has no weights in safetensors",
    ),
    "dense-in-pickle": Model(
        lambda folder: rename_file(
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
        lambda folder: drop_key(
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
        lambda folder: set_values(
            stack(MEAN, dense())(folder), "2_Dense/config.json", use_residual=True
        ),
        refused=r"Dense: Missing key\(s\).*residual",
    ),
    "no-such-activation": Model(
        lambda folder: set_values(
            stack(MEAN, dense())(folder),
            "2_Dense/config.json",
            activation_function="torch.os.system",
        ),
        refused="No module named 'torch.os'; copy it again",
    ),
    "no-activation": Model(
        lambda folder: set_values(
            stack(MEAN, dense())(folder), "2_Dense/config.json", activation_function=None
        ),
        refused="names the activation None",
    ),
    "odd-processing": Model(
        stack(MEAN, settings={"processing_kwargs": {"text": 3}}),
        refused="holds more than objects",
    ),
    "odd-cnn": Model(
        lambda folder: set_values(
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
        lambda folder: set_values(
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
        lambda folder: write_file(stack(MEAN)(folder), "modules.json", '{"a": 1}'),
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
        lambda folder: write_file(
            stack(MEAN)(folder),
            "modules.json",
            json.dumps([{"type": f"{LIBRARY}Transformer", "path": "../x"}]),
        ),
        refused="names a folder outside",
    ),
}
