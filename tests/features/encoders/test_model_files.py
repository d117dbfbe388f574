"""A model's identity covers what could change its vectors, and stays where they were right."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from features.encoders.description.files import INERT_CONFIG, canonical, combined, sha256
from features.encoders.description.model import find_model
from features.encoders.segmentation import language_of, segmentation
from features.encoders.transformer import load_encoder
from features.errors import DeviceMemoryError, EncoderError
from pipeline.cli.main import main
from tests.support.transformers import SENTENCES
from tests.support.zoo.building import (
    BERT,
    CLS,
    CUSTOM_HEAD,
    CUSTOM_MAP,
    CUSTOM_MODEL,
    MEAN,
    change,
    dense,
    pooling,
    stack,
)
from tests.support.zoo.families import chatting, xlnet


def test_the_fingerprints_of_the_embedded_encoder_stay() -> None:
    """Written down from the version before: every cache of that time must stay valid."""
    model = find_model()
    spaces = [model.spec(layout).fingerprint for layout in ("pooled", "tokens", "sentences")]
    assert spaces == [
        "996cecfbd199e7ca2b05577d",
        "a410170c239052b2a23a02f2",
        "1a743f8e0f9f99d359de4616",
    ]
    assert model.spec("pooled", max_tokens=1000).fingerprint == "817dea8086bfa4d822feffb3"


def test_another_splitter_is_another_space(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = segmentation("de")
    assert rules.startswith("sentencex-1 de")
    monkeypatch.setattr(metadata, "version", lambda name: "1.0.33")
    assert segmentation("de") == rules.replace("sentencex-1 ", "sentencex-1.0.33 ")
    assert language_of(segmentation("de")) == "de"


@pytest.mark.parametrize(
    "name", ["2_Dense/config.json", "2_Dense/model.safetensors", "2_Dense/notes.txt"]
)
def test_every_file_of_a_module_counts(name: str, tmp_path: Path) -> None:
    folder = stack(MEAN, dense(), files={"README.md": "of no matter"})(tmp_path / "model")
    before = find_model(str(folder)).weights
    (folder / "README.md").write_text("changed")
    assert find_model(str(folder)).weights == before
    with (folder / name).open("ab") as file:
        file.write(b" ")
    assert find_model(str(folder)).weights != before


@pytest.mark.parametrize(
    "name",
    ["tokenizer.model", "bpe.codes", "sentence_xlnet_config.json", "chat_template.jinja"],
)
def test_rare_files_of_tokenizers_count_where_they_lie(name: str, tmp_path: Path) -> None:
    folder = BERT(tmp_path / "model")
    before = find_model(str(folder)).tokenizer
    (folder / name).write_text("{}")
    assert find_model(str(folder)).tokenizer != before


def before(folder: Path) -> str:
    """The digest that versions gave which ran only the modules behind the transformer."""
    modules = json.loads((folder / "modules.json").read_text())
    files = [file for module in modules[1:] for file in (folder / module["path"]).rglob("*")]
    config = json.loads((folder / "config.json").read_text())
    kinds = [[module["type"].rpartition(".")[2], module["path"]] for module in modules]
    return combined(
        {
            "model.safetensors": sha256(folder / "model.safetensors"),
            **{str(file.relative_to(folder)): sha256(file) for file in files},
            "modules": canonical(kinds),
            "config": canonical({k: v for k, v in config.items() if k not in INERT_CONFIG}),
        }
    )


@pytest.mark.parametrize(
    ("make", "right"),
    [
        (stack(MEAN, dense()), True),
        (stack(pooling(pooling_mode=["mean", "max"])), True),
        (stack(pooling(pooling_mode="mean", include_prompt=False)), False),
        (stack(MEAN, dense(), settings={"config_kwargs": {"hidden_act": "relu"}}), False),
        (stack(MEAN, whole={"truncate_dim": 5}), False),
        (
            stack(("CNN", {"in_embedding_dimension": 16}), pooling(embedding_dimension=768)),
            False,
        ),
    ],
    ids=["dense", "two poolings", "prompt left out", "settings", "cut", "cnn"],
)
def test_only_models_whose_vectors_were_wrong_have_another_name(
    make: Callable[[Path], Path], right: bool, tmp_path: Path
) -> None:
    folder = make(tmp_path / "model")
    assert (find_model(str(folder)).weights == before(folder)) is right


def test_code_beside_the_model_counts_and_code_from_elsewhere_is_refused(
    tmp_path: Path,
) -> None:
    folder = stack(MEAN, path="0_Transformer", files={"own.py": "A = 1"})(tmp_path / "model")
    before = find_model(str(folder), trust_remote_code=True).weights
    (folder / "own.py").write_text("A = 2")
    assert find_model(str(folder), trust_remote_code=True).weights != before
    for owner in ("config.json", "tokenizer_config.json"):
        copy = shutil.copytree(folder, tmp_path / owner)
        change(copy / "0_Transformer" / owner, auto_map={"AutoModel": "some/repo--file.Class"})
        find_model(str(copy))
        with pytest.raises(EncoderError, match=r"another repository.*copy that code beside"):
            find_model(str(copy), trust_remote_code=True)


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    folder = stack(MEAN)(tmp_path / "model")
    change(folder / "config.json", model_type="albert", embedding_size=16)
    for file in folder.glob("tokenizer*"):
        file.unlink()
    (folder / "spiece.model").write_bytes(b"no tokenizer either")
    with pytest.raises(EncoderError, match=r"needs sentencepiece; pip install sentencepiece$"):
        load_encoder(find_model(str(folder)), "cpu")


def test_too_little_memory_for_the_modules_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sentence_transformers

    def full(*args: object, **kwargs: object) -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(sentence_transformers, "SentenceTransformer", full)
    folder = stack(MEAN, dense())(tmp_path / "model")
    with pytest.raises(DeviceMemoryError, match="does not fit in the free memory of cpu"):
        load_encoder(find_model(str(folder)), "cpu")


def test_windows_and_sentences_of_the_libraries_modules(tmp_path: Path) -> None:
    """A text that fits keeps its vector, in windows and as its own only sentence."""
    folder = stack(pooling(pooling_mode="weightedmean"), dense())(tmp_path / "model")
    model = find_model(str(folder))
    encoder = load_encoder(model, "cpu")
    texts = ["rain fell.", " ".join(SENTENCES)]
    plain, windows, cut = (
        encoder.encode(texts, [spec], lambda count, tokens: None)[0]
        for spec in (
            model.spec("pooled", dtype="float32"),
            model.spec("pooled", dtype="float32", max_tokens=99),
            model.spec("sentences", dtype="float32"),
        )
    )
    assert np.abs(plain.values[0] - windows.values[0]).max() < 1e-5
    assert np.abs(plain.values[0] - cut.values[0]).max() < 1e-5
    assert np.abs(plain.values[1] - windows.values[1]).max() > 1e-3


def test_texts_tokenized_in_another_way_are_not_cut_into_windows(tmp_path: Path) -> None:
    settings = {"processing_kwargs": {"text": {"add_special_tokens": False}}}
    model = find_model(str(stack(MEAN, settings=settings)(tmp_path / "model")))
    spec = model.spec("pooled", max_tokens=99)
    with pytest.raises(
        EncoderError, match="cannot be cut into windows; leave --max-tokens out"
    ):
        load_encoder(model, "cpu").encode([" ".join(SENTENCES)], [spec], lambda *counts: None)


def test_a_vector_that_differs_from_the_library_is_said_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = stack(CLS, make=xlnet)(tmp_path / "model")
    (tmp_path / "d.csv").write_text("text,label\nrain,a\ndogs bark,b\n")
    command = ["features", "--data", "d.csv", "--encoder", str(folder), "--cache", "cache"]
    assert main([*command]) == 0
    assert "xlnet); sentence-transformers takes the first token" in capsys.readouterr().err


def test_numbers_beyond_float16_name_the_option_that_helps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from safetensors.numpy import load_file, save_file

    folder = BERT(tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    last = "encoder.layer.1.output.LayerNorm.weight"
    weights[last] = weights[last] * np.float32(1e6)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "d.csv").write_text("text,label\nrain,a\ndogs bark,b\n")
    command = ["features", "--data", "d.csv", "--encoder", str(folder), "--cache", "cache"]
    assert main([*command]) == 1
    assert "too large for float16 and int8 with --dtype float32" in capsys.readouterr().err
    assert main([*command, "--dtype", "float32"]) == 0


def test_odd_files_are_one_line(tmp_path: Path) -> None:
    for file, text in (
        ("config.json", "[1]"),
        ("config.json", "[" * 5000),
        ("modules.json", "3"),
        ("sentence_bert_config.json", "[]"),
        ("tokenizer_config.json", json.dumps({"model_max_length": "x"})),
        ("tokenizer_config.json", "null"),
        ("config.json", json.dumps({"model_type": ["bert"], "hidden_size": 16})),
        ("config_sentence_transformers.json", json.dumps({"default_prompt_name": {"a": 1}})),
        ("config_sentence_transformers.json", json.dumps({"truncate_dim": -1})),
        ("config_sentence_transformers.json", json.dumps({"prompts": {"a": 3}})),
        ("1_Pooling/config.json", "[]"),
    ):
        folder = stack(MEAN)(tmp_path / f"{len(text)}{Path(file).name}")
        (folder / file).write_text(text)
        with pytest.raises(EncoderError) as caught:
            find_model(str(folder))
        assert "\n" not in str(caught.value)


OWN_MODEL = stack(MEAN, config=CUSTOM_MAP, files={"odd.py": CUSTOM_MODEL, "table.csv": "1"})
OWN_HEAD = stack(MEAN, ("head.Head", {}), files={"head.py": CUSTOM_HEAD, "more.py": ""})


@pytest.mark.parametrize(
    "file", ["w.bin", "w.pt", "w.safetensors", "inner/config.json", "w.h5"]
)
@pytest.mark.parametrize("make", [OWN_MODEL, OWN_HEAD])
def test_whatever_code_of_its_own_may_open_counts(
    make: Callable[[Path], Path], file: str, tmp_path: Path
) -> None:
    folder = make(tmp_path / "model")
    (folder / file).parent.mkdir(exist_ok=True)
    seen = set()
    for content in ("one", "two"):
        (folder / file).write_text(content)
        seen.add(find_model(str(folder), trust_remote_code=True).weights)
    assert len(seen) == 2


def test_another_class_of_the_same_name_counts(tmp_path: Path) -> None:
    folder = OWN_HEAD(tmp_path / "model")
    before = find_model(str(folder), trust_remote_code=True).weights
    modules = (folder / "modules.json").read_text()
    (folder / "modules.json").write_text(modules.replace("head.Head", "more.Head"))
    assert find_model(str(folder), trust_remote_code=True).weights != before


def test_what_the_library_pools_by_counts_where_it_pools(tmp_path: Path) -> None:
    folder = chatting(tmp_path / "model")
    before = find_model(str(folder)).spec("pooled")
    change(folder / "config.json", architectures=["Qwen2Model"])
    assert find_model(str(folder)).spec("pooled") != before


def test_odd_values_that_mean_nothing_are_passed_over(tmp_path: Path) -> None:
    for architectures in (3, {"a": 1}, [], "BertForCausalLM"):
        folder = BERT(tmp_path / f"{architectures}")
        change(folder / "config.json", architectures=architectures)
        assert find_model(str(folder)).pooling == "mean"
    folder = stack(MEAN, settings={"do_lower_case": True})(tmp_path / "model")
    change(folder / "tokenizer.json", normalizer={"normalizers": ["x"]})
    assert find_model(str(folder)).pooling == "modules"
    modules = (folder / "modules.json").read_text().replace("1_Pooling", "")
    (folder / "modules.json").write_text(modules.replace("Pooling", "Normalize"))
    assert find_model(str(folder)).pooling == "modules"
