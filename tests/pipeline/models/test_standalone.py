"""The exported folder answers as manyheads does, where only three packages are installed."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import files
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import tokenizers

from features.encoders.description.model import find_model
from features.errors import FaultError
from pipeline.encoding.direct_vectors import encode_directly
from pipeline.encoding.vectors import load_encoder
from pipeline.models import standalone
from pipeline.models.encoder_onnx import VECTORS, encoder_onnx
from pipeline.models.model import read_model, read_run
from pipeline.models.standalone import (
    ENCODER,
    FILES,
    PROGRAM,
    TOKENIZER,
    check_runtime,
    write_standalone,
)
from tests.support.cli import Command, Refusal, Run
from tests.support.cli import told as told_of
from tests.support.transformers import SENTENCES

TEXTS = ["rain again", "nobody expected that night", "日本 [SEP] <s>", "a cat " * 60]
PACKAGES = ("onnxruntime", "tokenizers", "numpy", "flatbuffers", "protobuf", "packaging")
"""What such a program may use, and what onnxruntime itself needs."""


def site(folder: Path) -> Path:
    """Make a folder in which these packages are installed, and no other."""
    folder.mkdir()
    for name in PACKAGES:
        tops = {path.parts[0] for path in files(name) or () if ".." not in path.parts}
        for top in tops:
            target = next(p.locate() for p in files(name) or () if p.parts[0] == top)
            place = Path(str(target))
            while place.name != top:
                place = place.parent
            if not (folder / top).exists():
                (folder / top).symlink_to(place)
    return folder


def alone(folder: Path, packages: Path, texts: list[str]) -> list[tuple[str, float]]:
    """Run the program of a folder in a Python that has these packages alone."""
    code = (
        "import sys, runpy\n"
        f"sys.path.append({str(packages)!r})\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "loaded = {'torch', 'transformers', 'features', 'pipeline'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(folder / PROGRAM), *texts],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    return [(line[0], float(line[1])) for line in lines]


@pytest.mark.usefixtures("real_onnx")
def test_the_folder_runs_where_only_three_packages_are(
    run: Run,
    train: Command,
    tiny_models: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One export for many checks: to make a graph takes seconds."""
    train("cnn", "--precision", "float32", "--layers", "1,2", "--dtype", "int8")
    exported = run("export-model", "--out", "m", "--with-encoder", "--json").json
    folder, packages = Path("m"), site(tmp_path / "site")
    assert set(FILES) <= set(exported["files"])
    assert sorted(path.name for path in folder.iterdir()) == sorted(exported["files"])
    exact = exported["agreement"]["float32"]
    assert exact["same_labels"] == exact["texts"] > 50
    assert exact["largest"] <= 1e-4
    asked = [part for text in TEXTS for part in ("--text", text)]
    told = run("predict", *asked, "--json").json["predictions"]
    found = alone(folder.resolve(), packages, TEXTS)
    for (label, share), one in zip(found, told, strict=True):
        assert label == one["label"]
        assert share == pytest.approx(one["probabilities"][label], abs=1e-4)
    described = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    assert set(described["sha256"]) == {*FILES, "head.onnx", "head.safetensors"}
    assert "python predict.py" in (folder / "README.md").read_text(encoding="utf-8")
    assert str(Path.cwd()).encode() not in (folder / "encoder.onnx").read_bytes()
    again = run("predict", "--run", folder, "--encoder", tiny_models["bert"], *asked, "--json")
    assert told_of(again.json) == [{**one, "unusual": None} for one in told]

    model = read_model(folder)
    encoder = find_model(str(tiny_models["bert"]))
    graph, tokenizer = (folder / ENCODER).read_bytes(), (folder / TOKENIZER).read_bytes()
    monkeypatch.setattr(standalone, "encoder_onnx", lambda *_: (graph, tokenizer))
    given = (model.head, replace(model.spec, precision="bfloat16"), encoder, SENTENCES, "int8")
    report = write_standalone(folder, *given)
    assert report.quantized is not None
    assert report.quantized.largest > report.exact.largest
    assert (folder / ENCODER).stat().st_size < len(graph)
    lines = "\n".join(report.lines())
    assert "in int8 it gives " in lines
    assert "MB instead of" in lines
    assert "train with --precision float32 for the same numbers" in lines
    assert len(alone(folder.resolve(), packages, TEXTS)) == len(TEXTS)

    words = json.loads(tokenizer)
    vocabulary = words["model"]["vocab"]
    turned = {word: number ^ 1 if number > 3 else number for word, number in vocabulary.items()}
    words["model"]["vocab"] = turned
    other = json.dumps(words).encode()
    monkeypatch.setattr(standalone, "encoder_onnx", lambda *_: (graph, other))
    with pytest.raises(FaultError, match=r"within 0\.001, but one differs by"):
        write_standalone(folder, *given)


def test_another_family_and_pooled_vectors(tiny_models: dict[str, Path]) -> None:
    model = find_model(str(tiny_models["roberta"]))
    spec = model.spec("pooled", dtype="float32")
    onnx, tokenizer_json = encoder_onnx(model, spec)
    session = onnxruntime.InferenceSession(onnx)
    tokenizer = tokenizers.Tokenizer.from_str(tokenizer_json.decode())
    encoder = load_encoder(model, "torch", "cpu")
    expected = encode_directly(encoder, SENTENCES, [spec]).tables["pooled"].values
    names = {each.name for each in session.get_inputs()}
    for text, vector in zip(SENTENCES, expected, strict=True):
        found = tokenizer.encode(text)
        given = {
            "input_ids": np.array([found.ids]),
            "attention_mask": np.ones((1, len(found.ids)), np.int64),
            "token_type_ids": np.array([found.type_ids]),
        }
        (x,) = session.run([VECTORS], {name: given[name] for name in names})
        assert np.allclose(x[0, 0], vector, atol=1e-5)


@pytest.mark.parametrize(
    ("head", "options", "said"),
    [
        ("logistic", ("--layout", "pooled,words", "--seed", "3"), "reads the words of a text"),
        ("cnn", ("--layout", "sentences"), "needs a sentence splitter"),
        ("cnn", ("--max-tokens", "64"), "encoded in windows"),
    ],
)
def test_runs_that_cannot_be_written(
    refusal: Refusal, train: Command, head: str, options: tuple[str, ...], said: str
) -> None:
    run = Path(train(head, *options)["run"])
    if said.startswith("reads") and not read_run(run).reads_words:
        pytest.skip("validation gave words no share")
    line = refusal("export-model", run, "--out", "m", "--with-encoder")
    assert said in line
    assert "leave the option out" in line
    assert not Path("m").exists()


def test_options_that_do_not_go_together(refusal: Refusal) -> None:
    line = refusal("export-model", "--out", "m", "--quantize", "int8")
    assert "--quantize int8 goes with --with-encoder" in line
    assert "--quantize" in refusal(
        "export-model", "--out", "m", "--with-encoder", "--quantize", "int4"
    )


def test_without_onnxruntime_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(Exception, match=r"pip install 'manyheads\[onnx\]'"):
        check_runtime()
