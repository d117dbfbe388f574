"""Vectors agree with the reference libraries, and never depend on their neighbours."""

from __future__ import annotations

import gc
import json
import shutil
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from sentence_transformers import SentenceTransformer

from features.api import load_encoder as lazy_encoder
from features.encoders.description.hub import EMBEDDED
from features.encoders.description.model import find_model
from features.encoders.transformer import TransformerEncoder, load_encoder
from features.encoding.plan import plan_encoding
from features.encoding.serial import encode
from features.errors import BadVectorError, EncoderError
from features.store.store import FeatureStore
from tests.support.transformers import SENTENCES

TOLERANCE = 1e-5
FAMILIES = ["bert", "roberta", "xlnet"]


def quiet(texts: int, tokens: int) -> None:
    """Nobody watches the progress."""


def alone(folder: Path, text: str, layer: int, most: int | None = None) -> np.ndarray:
    """(T, D): one text through plain transformers, without any padding."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    inputs = tokenizer(text, return_tensors="pt", truncation=most is not None, max_length=most)
    with torch.no_grad():
        return model(**inputs, output_hidden_states=True).hidden_states[layer][0].numpy()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_mixed_batch_gives_what_each_text_gives_alone(
    tiny_models: dict[str, Path], family: str, side: str
) -> None:
    model = find_model(str(tiny_models[family]))
    encoder = TransformerEncoder(model, device="cpu", token_budget=10_000)
    encoder._tokenizer.library.padding_side = side
    specs = [
        model.spec("tokens", (1,), dtype="float32"),
        model.spec("pooled", dtype="float32"),
        model.spec("tokens", (0, 2), dtype="float32"),
    ]
    one, pooled, joined = encoder.encode(SENTENCES, specs, quiet)
    ends = np.cumsum(one.lengths)
    largest = 0.0
    for row, text in enumerate(SENTENCES):
        own = slice(ends[row] - one.lengths[row], ends[row])
        first, middle, last = (alone(tiny_models[family], text, layer) for layer in (0, 1, 2))
        for got, expected in (
            (one.values[own], middle),
            (pooled.values[row], last.mean(axis=0)),
            (joined.values[own], np.concatenate([first, last], axis=1)),
        ):
            assert got.shape == expected.shape
            largest = max(largest, float(np.abs(got - expected).max()))
    print(f"{family}, padded {side}: largest difference {largest:.2e}")
    assert largest < TOLERANCE


@pytest.mark.parametrize("family", FAMILIES)
def test_budget_and_order_do_not_change_vectors(
    tiny_models: dict[str, Path], family: str
) -> None:
    model = find_model(str(tiny_models[family]))
    spec = model.spec("pooled", dtype="float32")
    (whole,) = TransformerEncoder(model, "cpu", 10_000).encode(SENTENCES, [spec], quiet)
    (single,) = TransformerEncoder(model, "cpu", 1).encode(SENTENCES[::-1], [spec], quiet)
    assert np.abs(whole.values - single.values[::-1]).max() < TOLERANCE


def test_long_texts_are_cut_and_counted_whole(tiny_models: dict[str, Path]) -> None:
    model = find_model(str(tiny_models["bert"]))
    assert model.max_length == 32
    text = " ".join(SENTENCES)
    (block,) = load_encoder(model, "cpu").encode(
        ["rain", text], [model.spec("tokens", (2,), dtype="float32")], quiet
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_models["bert"])
    assert block.lengths[1] == 32
    assert block.tokens[1] == len(tokenizer(text, verbose=False)["input_ids"]) > 32
    expected = alone(tiny_models["bert"], text, 2, most=32)
    assert np.abs(block.values[block.lengths[0] :] - expected).max() < TOLERANCE


def test_embedded_encoder_agrees_with_both_libraries() -> None:
    model = find_model(EMBEDDED)
    texts = [*SENTENCES, "word " * 600]
    reference = SentenceTransformer(str(model.folder), device="cpu").encode(texts)
    specs = [model.spec("pooled", dtype="float32"), model.spec("tokens", (6,), dtype="float32")]
    pooled, tokens = load_encoder(model, "cpu").encode(texts, specs, quiet)
    difference = float(np.abs(pooled.values - reference).max())
    token_difference = float(
        np.abs(tokens.values[: tokens.lengths[0]] - alone(model.folder, texts[0], 6)).max()
    )
    print(f"largest difference: pooled {difference:.2e}, tokens {token_difference:.2e}")
    assert difference < TOLERANCE
    assert token_difference < TOLERANCE
    assert tokens.lengths[-1] == 256
    assert tokens.tokens[-1] == 602


def test_bfloat16_stays_close_to_float32() -> None:
    model = find_model(EMBEDDED)
    encoder = load_encoder(model, "cpu")
    vectors = [
        encoder.encode(SENTENCES, [model.spec("pooled", precision=precision)], quiet)[
            0
        ].values.astype(np.float32)
        for precision in ("float32", "bfloat16")
    ]
    norms = np.linalg.norm(vectors[0], axis=1) * np.linalg.norm(vectors[1], axis=1)
    cosine = float(((vectors[0] * vectors[1]).sum(axis=1) / norms).min())
    print(f"smallest cosine {cosine:.6f}")
    assert cosine > 0.9999


def test_modules_that_only_sentence_transformers_knows(tmp_path: Path) -> None:
    from sentence_transformers import models

    folder = find_model(EMBEDDED).folder
    torch.manual_seed(0)
    transformer = models.Transformer(str(folder))
    whole = SentenceTransformer(
        modules=[transformer, models.Pooling(384, "mean"), models.Dense(384, 10)], device="cpu"
    )
    whole.save(str(tmp_path / "dense"), create_model_card=False)
    model = find_model(str(tmp_path / "dense"))
    assert (model.pooling, model.pooled_width) == ("modules", 10)
    (block,) = load_encoder(model, "cpu").encode(
        SENTENCES, [model.spec("pooled", dtype="float32")], quiet
    )
    assert np.abs(block.values - whole.encode(SENTENCES)).max() < TOLERANCE


def test_a_model_without_all_its_weights_is_refused(
    tiny_models: dict[str, Path], tmp_path: Path
) -> None:
    from safetensors.numpy import load_file, save_file

    folder = tmp_path / "broken"
    shutil.copytree(tiny_models["bert"], folder)
    weights = load_file(folder / "model.safetensors")
    dropped = next(name for name in weights if "query.weight" in name)
    del weights[dropped]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EncoderError, match=r"lacks 1 weights.*random"):
        load_encoder(find_model(str(folder)), "cpu")


def test_damaged_weights_are_one_clear_line(
    tiny_models: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(tiny_models["bert"], folder)
    (folder / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(EncoderError, match="cannot be loaded"):
        load_encoder(find_model(str(folder)), "cpu")


@pytest.mark.parametrize("kind", ["bert", "xlnet", "modules"])
def test_a_file_of_weights_that_is_overwritten_meanwhile_changes_no_vector(
    tiny_models: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    """As by a training that saves its model there; the libraries map the file."""
    from sentence_transformers import models

    folder = tmp_path / "model"
    if kind == "modules":
        inner = models.Transformer(str(tiny_models["bert"]))
        parts = [inner, models.Pooling(16, "mean"), models.Dense(16, 10)]
        SentenceTransformer(modules=parts, device="cpu").save(
            str(folder), create_model_card=False
        )
    else:
        shutil.copytree(tiny_models[kind], folder)
    model = find_model(str(folder))
    encoder = load_encoder(model, "cpu", "torch")
    spec = model.spec("pooled", dtype="float32")
    (before,) = encoder.encode(SENTENCES, [spec], quiet)
    for path in folder.rglob("*.safetensors"):
        with path.open("r+b") as file:
            file.write(bytes(path.stat().st_size))
    (after,) = encoder.encode(SENTENCES, [spec], quiet)
    assert np.array_equal(before.values, after.values)


@pytest.mark.parametrize("family", ["bert", "xlnet"])
@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_model_that_changed_before_it_is_loaded_is_refused(
    tiny_models: dict[str, Path], tmp_path: Path, family: str, name: str
) -> None:
    """As in a notebook, where a training saves its model into the folder of the encoder."""
    folder = shutil.copytree(tiny_models[family], tmp_path / "model")
    encoder = lazy_encoder(str(folder))
    spec = encoder.model.spec("pooled")
    touched = (folder / name).read_bytes()
    (folder / name).write_bytes(touched)  # the same again is no change
    lazy_encoder(str(folder)).encode(SENTENCES, [spec], quiet)
    if name == "config.json":
        config = {**json.loads(touched), "layer_norm_eps": 0.1}
        (folder / name).write_text(json.dumps(config))
    elif name == "tokenizer.json":
        (folder / name).write_bytes(touched.replace(b'"cat"', b'"rat"') + b" ")
    else:
        (folder / name).write_bytes(touched[:-4] + b"\0\0\0\1")
    with pytest.raises(EncoderError, match=r"have changed since.*load_encoder again"):
        encoder.encode(SENTENCES, [spec], quiet)


CUSTOM_CODE = """
from pathlib import Path
from transformers import BertConfig, BertModel

class OddConfig(BertConfig):
    model_type = "odd"

class OddModel(BertModel):
    config_class = OddConfig

Path({marker!r}).write_text("this code ran")
"""


def test_code_that_comes_with_a_model_runs_only_when_asked_for(
    tiny_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        transformers.dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules")
    )
    folder, marker = tmp_path / "odd", tmp_path / "marker"
    shutil.copytree(tiny_models["bert"], folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "odd",
        "auto_map": {"AutoConfig": "odd_code.OddConfig", "AutoModel": "odd_code.OddModel"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "odd_code.py").write_text(CUSTOM_CODE.format(marker=str(marker)))
    with pytest.raises(EncoderError, match=r"not run: pass --trust-remote-code"):
        load_encoder(find_model(str(folder)), "cpu")
    assert not marker.exists()
    trusted = find_model(str(folder), trust_remote_code=True)
    (block,) = load_encoder(trusted, "cpu").encode(SENTENCES, [trusted.spec("pooled")], quiet)
    assert marker.exists()
    assert len(block.values) == len(SENTENCES)
    (folder / "odd_code.py").write_text("# other code\n")
    changed = find_model(str(folder), trust_remote_code=True)
    assert len({m.weights for m in (find_model(str(folder)), trusted, changed)}) == 3


def test_an_encoder_goes_with_its_last_reference(tiny_models: dict[str, Path]) -> None:
    """In a circle of references its weights would stay until Python's collector runs."""
    model = find_model(str(tiny_models["bert"]))
    encoder = load_encoder(model, "cpu")
    specs = [model.spec("sentences"), model.spec("pooled")]
    encoder.encode(SENTENCES, specs, quiet)
    gone = weakref.ref(encoder._load())
    gc.disable()
    try:
        del encoder
        assert gone() is None
    finally:
        gc.enable()


def test_a_text_without_any_token_is_named_and_not_stored(
    tiny_models: dict[str, Path], tmp_path: Path
) -> None:
    """A tokenizer without special tokens gives none for a text that it strips to nothing."""
    folder = tmp_path / "bare"
    shutil.copytree(tiny_models["bert"], folder)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["post_processor"] = None
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    model = find_model(str(folder))
    texts = ["rain", "\u3000", "dogs bark"]
    encoder = load_encoder(model, "cpu")
    spaces = [
        FeatureStore(tmp_path / "cache").space(model.spec(x)) for x in ("pooled", "tokens")
    ]
    with pytest.raises(BadVectorError, match=r"1 texts.*texts 2;"):
        encode(plan_encoding(texts, spaces), texts, spaces, lambda: encoder)
    plan = plan_encoding(texts, spaces)
    assert plan.missing.tolist() == [1]
    assert len(spaces[1].table(plan.keys[[0, 2]])) == 2
