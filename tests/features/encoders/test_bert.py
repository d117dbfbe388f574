"""BERT and RoBERTa without transformers: the same bits, or that library runs the model."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from features.encoders.backends.base import Inputs
from features.encoders.backends.bert import BertBackend
from features.encoders.backends.bert_shape import bert_shape
from features.encoders.backends.pytorch import TorchBackend
from features.encoders.description.hub import EMBEDDED
from features.encoders.description.model import find_model
from features.encoders.loading import load_transformer
from features.encoders.transformer import TransformerEncoder
from features.errors import EncoderError
from tests.support.transformers import SENTENCES, save_bert, save_roberta

CPU = torch.device("cpu")
LAYERS = (0, 1, 2)
SIZES = {
    "vocab_size": 200,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "max_position_embeddings": 48,
}


def saved(folder: Path, name: str, config: dict[str, Any]) -> Path:
    """A model of a class of transformers with random weights, and the tokenizer of another."""
    (save_roberta if "oberta" in name.lower() else save_bert)(folder)
    torch.manual_seed(3)
    kind = getattr(transformers, f"{name}Config")
    model = getattr(transformers, f"{name}Model")(kind(**{**SIZES, **config}))
    for parameter in model.parameters():  # norms and biases, too, are not those of the start
        torch.nn.init.normal_(parameter, 0.1, 0.4)
    model.save_pretrained(folder)
    return folder


def batches(padding: int) -> list[Inputs]:
    """Inputs of one text and of several, with and without padding and segments."""
    made = []
    for texts, tokens, padded in ((1, 1, 0), (1, 9, 0), (5, 16, 0), (7, 33, 12), (64, 5, 2)):
        ids = torch.randint(5, 200, (texts, tokens))
        mask = torch.ones_like(ids)
        if padded:
            mask[1:, -padded:] = 0
            ids[1:, -padded:] = padding
        made.append({"input_ids": ids, "attention_mask": mask})
    made.append({**made[-1], "token_type_ids": torch.zeros_like(ids)})
    return made


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("Bert", {}),
        ("Bert", {"layer_norm_eps": 1e-3, "type_vocab_size": 1}),
        ("Roberta", {}),
        ("XLMRoberta", {"pad_token_id": 2, "type_vocab_size": 1}),
    ],
)
def test_hidden_states_are_those_of_transformers_to_the_bit(
    tmp_path: Path, name: str, config: dict[str, Any], precision: str
) -> None:
    model = find_model(str(saved(tmp_path / "model", name, config)))
    shape = bert_shape(model)
    assert shape is not None
    own = BertBackend(shape, model, CPU)
    library = TorchBackend(lambda: transformer, {})
    transformer = load_transformer(model, CPU)
    with (
        torch.no_grad(),
        own.running(LAYERS, precision) as run,
        library.running(LAYERS, precision) as expected,
    ):
        for inputs in batches(config.get("pad_token_id", 1)):
            real = inputs["attention_mask"].bool()
            found, states = run(inputs), expected(inputs)
            assert list(found) == list(LAYERS)
            for layer in LAYERS:
                assert torch.equal(found[layer][real], states[layer][real])


@pytest.mark.parametrize(("precision", "cosine"), [("float32", 0.999999), ("bfloat16", 0.98)])
def test_mpnet_gives_the_hidden_states_of_transformers(
    tmp_path: Path, precision: str, cosine: float
) -> None:
    """Its attention is fused, so not to the bit. Distances have biases of their own."""
    folder = saved(tmp_path / "model", "MPNet", {"max_position_embeddings": 202})
    model = find_model(str(folder))
    shape = bert_shape(model)
    assert shape is not None
    transformer = load_transformer(model, CPU)
    own, exact = BertBackend(shape, model, CPU), TorchBackend(lambda: transformer, {})
    long = torch.randint(5, 200, (3, 200))
    mask = torch.ones_like(long)
    mask[1, 150:] = 0
    given = [*batches(1), {"input_ids": long, "attention_mask": mask}]
    with torch.no_grad():
        with exact.running(LAYERS, "float32") as run:
            expected = [run(inputs) for inputs in given]
        with own.running(LAYERS, precision) as run:
            found = [run(inputs) for inputs in given]
    for inputs, one, other in zip(given, found, expected, strict=True):
        real = inputs["attention_mask"].bool()
        for layer in LAYERS:
            pair = one[layer][real].float(), other[layer][real]
            assert float(torch.cosine_similarity(*pair, dim=-1).min()) > cosine
            if precision == "float32":
                assert torch.allclose(*pair, atol=1e-5)


def test_the_embedded_encoder_runs_without_transformers() -> None:
    model = find_model(EMBEDDED)
    encoder = TransformerEncoder(model, "cpu", backend="torch")
    assert isinstance(encoder.backend, BertBackend)
    specs = [model.spec("pooled", dtype="float32"), model.spec("tokens", dtype="float32")]
    texts = [*SENTENCES, "", "rain " * 600]
    own = encoder.encode(texts, specs, lambda *counts: None)
    encoder.backend = TorchBackend(encoder._load, {})
    for block, expected in zip(
        own, encoder.encode(texts, specs, lambda *counts: None), strict=True
    ):
        assert np.array_equal(block.values, expected.values, equal_nan=True)


def test_only_the_layers_asked_for_run(tmp_path: Path) -> None:
    model = find_model(str(saved(tmp_path / "model", "Bert", {})))
    encoder = TransformerEncoder(model, "cpu", backend="torch")
    weights = encoder.backend._load()._weights  # type: ignore[attr-defined]
    for name in [name for name in weights if name.startswith("encoder.layer.1.")]:
        del weights[name]
    lower = model.spec("tokens", (0, 1), dtype="float32")
    encoder.encode(SENTENCES, [lower], lambda *counts: None)
    with pytest.raises(EncoderError, match=r"KeyError: 'encoder.layer.1"):
        encoder.encode(SENTENCES, [model.spec("pooled")], lambda *counts: None)


def edited(**entries: object) -> Callable[[Path], None]:
    """Set entries of config.json; those that are None are removed."""

    def edit(folder: Path) -> None:
        path = folder / "config.json"
        config = {**json.loads(path.read_text()), **entries}
        kept = {name: value for name, value in config.items() if value is not None}
        path.write_text(json.dumps(kept))

    return edit


def renamed(old: str, new: str) -> Callable[[Path], None]:
    """Rename weights."""

    def edit(folder: Path) -> None:
        weights = load_file(folder / "model.safetensors")
        found = {name.replace(old, new): value for name, value in weights.items()}
        save_file(found, folder / "model.safetensors", {"format": "pt"})

    return edit


def in_two_files(folder: Path) -> None:
    shutil.copy(folder / "model.safetensors", folder / "model-2.safetensors")


@pytest.mark.parametrize(
    "edit",
    [
        edited(hidden_act="relu"),
        edited(hidden_act=None),
        edited(position_embedding_type="relative_key"),
        edited(is_decoder=True),
        edited(chunk_size_feed_forward=4),
        edited(quantization_config={"bits": 8}),
        edited(auto_map={"AutoModel": "code.Model"}),
        edited(num_attention_heads=5),
        edited(intermediate_size=True),
        edited(vocab_size=None),
        edited(hidden_size="24"),
        edited(max_position_embeddings=64),
        edited(layer_norm_eps="tiny"),
        renamed("LayerNorm.weight", "LayerNorm.gamma"),
        renamed("encoder.layer.1.output.dense.bias", "lost"),
        in_two_files,
        lambda folder: (folder / "model.safetensors").write_bytes(b"no weights"),
    ],
)
def test_an_unusual_model_is_left_to_transformers(
    tmp_path: Path, edit: Callable[[Path], None]
) -> None:
    folder = saved(tmp_path / "model", "Bert", {})
    model = find_model(str(folder))
    assert bert_shape(model) is not None
    edit(folder)
    assert bert_shape(model) is None


def rewritten(folder: Path, weights: dict[str, torch.Tensor]) -> TransformerEncoder:
    """An encoder of a model after other weights were saved there; it runs here."""
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    encoder = TransformerEncoder(find_model(str(folder)), "cpu", backend="torch")
    assert isinstance(encoder.backend, BertBackend)
    return encoder


def pooled(encoder: TransformerEncoder) -> np.ndarray:
    spec = encoder.model.spec("pooled", dtype="float32")
    (block,) = encoder.encode(SENTENCES, [spec], lambda *counts: None)
    return block.values


def test_weights_saved_below_a_language_model_are_found(tmp_path: Path) -> None:
    folder = saved(tmp_path / "model", "Bert", {})
    weights = load_file(folder / "model.safetensors")
    expected = pooled(rewritten(folder, weights))
    below = {f"bert.{name}": value for name, value in weights.items()}
    below["cls.predictions.bias"] = torch.zeros(200)
    assert np.array_equal(pooled(rewritten(folder, below)), expected)


def test_half_precision_weights_are_computed_with_in_float32(tmp_path: Path) -> None:
    folder = saved(tmp_path / "model", "Bert", {})
    weights = load_file(folder / "model.safetensors")
    encoder = rewritten(folder, {name: value.half() for name, value in weights.items()})
    own = pooled(encoder)
    encoder.backend = TorchBackend(encoder._load, {})
    assert np.array_equal(own, pooled(encoder))


def test_weights_that_vanish_before_the_first_text_are_one_line(tmp_path: Path) -> None:
    folder = saved(tmp_path / "model", "Bert", {})
    model = find_model(str(folder))
    encoder = TransformerEncoder(model, "cpu", backend="torch")
    (folder / "model.safetensors").unlink()
    with pytest.raises(EncoderError, match=r"cannot be loaded: .*copy it again"):
        encoder.encode(SENTENCES, [model.spec("pooled")], lambda *_: None)


HEAVY = {"transformers", "sentence_transformers", "torch._dynamo", "pandas", "sklearn"}


def test_later_runs_import_only_what_they_need(
    tiny_models: dict[str, Path], tmp_path: Path
) -> None:
    """The first run compares with sentence-transformers."""
    script = (
        "import sys; from pipeline.cli.main import main; code = main(sys.argv[1:]); "
        f"print(*sorted({HEAVY} & {{*sys.modules}})); sys.exit(code)"
    )
    for number in range(2):
        data = tmp_path / f"{number}.csv"
        data.write_text(f"text\nThe rain fell {number} times.\n", encoding="utf-8")
        command = ["features", "--data", data, "--encoder", tiny_models["bert"]]
        command += ["--cache", tmp_path / f"cache{number}", "--backend", "torch"]
        done = subprocess.run(
            [sys.executable, "-c", script, *map(str, command)],
            capture_output=True,
            text=True,
            check=True,
        )
        heavy = done.stdout.splitlines()[-1].split()
        assert ("transformers" in heavy) if number == 0 else not heavy
