"""Every command end to end, as a user would type it, right and wrong."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipeline.config import EXAMPLE
from tests.support.cli import BAD, GOOD, QUICK, REPOSITORY, Run, write


def test_features_then_train_encodes_nothing(run: Run, data: Path, encoder: Path) -> None:
    common = ("--data", data, "--encoder", encoder, "--json")
    first = run("features", *common).json
    assert {
        key: first[key] for key in ("texts", "distinct", "encoded", "cached", "truncated")
    } == {
        "texts": 80,
        "distinct": 80,
        "encoded": 80,
        "cached": 0,
        "truncated": 0,
    }
    assert [space["layout"] for space in first["spaces"]] == ["pooled", "tokens"]
    assert all(Path(space["folder"], "space.json").exists() for space in first["spaces"])
    again = run("features", *common)
    assert (again.json["encoded"], again.json["cached"]) == (0, 80)
    assert "0 of 80 texts encoded, all cached" in again.err
    for head in ("logistic", "cnn", "lstm"):
        settings = QUICK if head != "logistic" else ()
        assert run("train", "--head", head, *settings, *common).json["encoded"] == 0


@pytest.mark.usefixtures("real_pictures")
@pytest.mark.parametrize("head", ["logistic", "cnn", "lstm"])
def test_a_run_folder_holds_what_the_readme_says(
    run: Run, data: Path, encoder: Path, head: str
) -> None:
    settings = QUICK if head != "logistic" else ()
    out = run(
        "train", "--head", head, "--data", data, "--encoder", encoder, *settings, "--json"
    )
    result = out.json
    watched = result.pop("doctor", None)  # of this moment, not of the run
    assert watched is None or watched["line"].startswith("Watch: ")
    folder = Path(result["run"])
    files = {path.name for path in folder.iterdir()}
    assert {
        "config.json",
        "metrics.json",
        "history.jsonl",
        "predictions.parquet",
        "head.safetensors",
        "head.json",
        "curves.png",
        "confusion.png",
        "environment.json",
        "report.txt",
    } <= files
    assert any(name.startswith("events.out.tfevents") for name in files)
    assert json.loads((folder / "metrics.json").read_text()) == result
    assert result["head"] == head
    assert result["layout"] == ("pooled,words" if head == "logistic" else "tokens")
    for side in ("validation", "test"):
        low, high = result[side]["accuracy_interval"]
        assert 0 <= low <= result[side]["accuracy"] <= high <= 1
    assert set(result["baselines"]) == {"majority", "tfidf_logistic"}
    assert result["baselines"]["majority"]["accuracy"] == 0.5
    assert set(result["seconds"]) == {"encoding", "training"}
    predictions = pq.read_table(folder / "predictions.parquet").to_pylist()
    test = [row for row in predictions if row["side"] == "test"]
    assert len(test) == result["test"]["texts"] == 12
    right = np.mean([row["label"] == row["predicted"] for row in test])
    assert right == pytest.approx(result["test"]["accuracy"])
    corpus = list(csv.DictReader(io.StringIO(data.read_text(encoding="utf-8"), newline="")))
    assert all(corpus[row["row"] - 1]["label"] == row["label"] for row in predictions)
    history = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in history] == list(range(1, len(history) + 1))
    for picture in ("curves.png", "confusion.png"):
        with Image.open(folder / picture) as image:
            assert min(image.size) > 300
    assert json.loads((folder / "config.json").read_text())["resolved"]["classes"] == [
        "bad, very",
        "good",
    ]


def test_the_end_for_people(run: Run, data: Path, encoder: Path) -> None:
    out = run("train", "--data", data, "--encoder", encoder)
    assert out.code == 0
    assert out.out.startswith("Too few test texts (12) for a score.")
    assert "\nNext: manyheads train --head logistic --data" in out.out
    path = Path(re.search(r"^Report: (.*);", out.out, re.MULTILINE)[1])  # type: ignore[index]
    shown = " ".join(path.read_text(encoding="utf-8").split())
    for part in ("validation logistic", "test majority class", "TF-IDF", "macro-F1"):
        assert part in shown
    assert "C = 0.03 (1st of 8): validation accuracy" in out.err
    assert "plan: 80 texts, 80 distinct, 0 cached, 80 to encode" in out.err


def test_same_seed_same_weights_other_seed_other_weights(
    run: Run, data: Path, encoder: Path
) -> None:
    def weights(seed: int) -> bytes:
        common = ("--data", data, "--encoder", encoder, *QUICK, "--seed", seed)
        out = run("train", "--head", "cnn", *common, "--json")
        return (Path(out.json["run"]) / "head.safetensors").read_bytes()

    first = weights(1)
    assert weights(1) == first
    assert weights(2) != first


def test_predict_one_text_and_files_through_the_cache(
    run: Run, data: Path, encoder: Path, tmp_path: Path
) -> None:
    trained = run(
        "train", "--head", "cnn", "--data", data, "--encoder", encoder, *QUICK, "--json"
    )
    one = run("predict", "--text", GOOD[0], "--text", "<b>wholly new</b>", "--json").json
    assert one["run"] == trained.json["run"]
    (first, second) = one["predictions"]
    assert first["text"] == GOOD[0]
    assert second["label"] in ("good", "bad, very")
    assert sum(second["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    again = run("predict", "--text", "<b>wholly new</b>")
    assert "encod" not in again.err  # the text is cached, and one text needs no plan
    assert again.out.startswith(second["label"])
    new = tmp_path / "new.jsonl"
    new.write_text(json.dumps({"text": GOOD[0]}) + "\n" + json.dumps({"text": 'x, "y"\nz'}))
    outputs = {}
    for suffix in ("csv", "parquet", "jsonl"):
        path = tmp_path / f"out.{suffix}"
        assert run("predict", "--data", new, "--output", path).code == 0
        outputs[suffix] = path
    rows = list(csv.DictReader(io.StringIO(outputs["csv"].read_bytes().decode(), newline="")))
    assert [row["text"] for row in rows] == [GOOD[0], 'x, "y"\nz']
    likely = ["probability:bad, very", "probability:good"]
    added = ["predicted", "confidence", *likely, "unusual"]
    assert list(rows[0]) == ["text", *added]
    table = pq.read_table(outputs["parquet"]).to_pylist()
    lines = [json.loads(line) for line in outputs["jsonl"].read_text().splitlines()]
    for row, columns, line in zip(rows, table, lines, strict=True):
        assert row["predicted"] == columns["predicted"] == line["predicted"]
        assert float(row["probability:good"]) == pytest.approx(
            columns["probability:good"], abs=1e-5
        )
        assert line["probability:good"] == columns["probability:good"]
        assert row["unusual"].lower() == str(columns["unusual"]).lower()
        assert line["unusual"] is columns["unusual"]
    shares = {name: lines[0][f"probability:{name}"] for name in first["probabilities"]}
    assert shares == first["probabilities"]


def test_predict_refuses_another_encoder(
    run: Run, data: Path, encoder: Path, tiny_models: dict[str, Path]
) -> None:
    run("train", "--data", data, "--encoder", encoder)
    out = run("predict", "--text", "x", "--encoder", tiny_models["roberta"])
    assert out.code == 2
    assert "is not the one that runs" in out.err
    assert re.search(r"differs in weights \(\w+\.\.\., not \w+\.\.\.\), tokenizer \(", out.err)


def test_an_official_split_with_labels_that_training_lacks(
    run: Run, encoder: Path, tmp_path: Path
) -> None:
    rows = [[f"{(GOOD + BAD)[i % 8]} {i}", "ab"[i % 2], "train"] for i in range(40)]
    rows += [[f"late {i}", "abc"[i % 3], "test"] for i in range(9)]
    write(tmp_path / "official.csv", [["text", "label", "split"], *rows])
    out = run("train", "--data", tmp_path / "official.csv", "--encoder", encoder, "--json")
    assert out.json["test"]["texts"] == 9
    assert out.json["test"]["accuracy"] <= 6 / 9
    assert any("'c'" in note for note in out.json["notes"])
    assert "note: " in out.err


def test_heads_lists_every_head_and_setting(run: Run) -> None:
    listing = run("heads", "--json").json["heads"]
    names = [head["name"] for head in listing]
    assert (names[0], names[-1]) == ("logistic", "lstm")  # the quickest and the slowest
    assert len(names) == len(set(names)) == 8
    assert all(len(head["summary"]) == 2 and head["settings"] for head in listing)
    presets = run("heads", "--json").json["presets"]
    assert [preset["name"] for preset in presets][:2] == ["A1", "A2"]
    assert all(preset["head"] in names for preset in presets)


WRONG = {
    "missing file": (("features", "--data", "nowhere.csv"), ["nowhere.csv", "no such file"]),
    "missing column": (
        ("train", "--data", "DATA", "--label-column", "topic"),
        ["topic", "'text' (such as 'the cat sat on the mat 0'), 'label'", "--label-column"],
    ),
    "unknown head": (
        ("train", "--data", "DATA", "--head", "gru"),
        ["gru", "logistic, knn, mlp"],
    ),
    "unknown setting": (
        ("train", "--data", "DATA", "--head", "cnn", "--set", "units=3"),
        ["units", "kernels", "filters"],
    ),
    "setting out of range": (
        ("train", "--data", "DATA", "--head", "cnn", "--set", "dropout=2"),
        ["dropout", "2"],
    ),
    "no setting": (("train", "--data", "DATA", "--set", "units"), ["NAME=VALUE", "units"]),
    "wrong layout": (
        ("train", "--data", "DATA", "--head", "lstm", "--layout", "pooled"),
        ["time axis", "tokens"],
    ),
    "unknown layout": (
        ("features", "--data", "DATA", "--layout", "words"),
        ["words", "pooled"],
    ),
    "unknown layer": (("features", "--data", "DATA", "--layers", "7"), ["layer 7", "to 2"]),
    "negative seed": (("train", "--data", "DATA", "--seed", "-1"), ["--seed", "-1"]),
    "hub encoder offline": (
        ("features", "--data", "DATA", "--encoder", "some/model"),
        ["some/model", "hf download", "--encoder FOLDER"],
    ),
    "cache in a file": (
        ("features", "--data", "DATA", "--cache", "DATA"),
        ["data.csv", "--cache"],
    ),
    "runs in a file": (("train", "--data", "DATA", "--runs", "DATA"), ["data.csv", "--runs"]),
    "no run": (("predict", "--text", "x"), ["no finished run"]),
    "unknown run": (("predict", "--text", "x", "--run", "mine"), ["no run 'mine'"]),
    "empty text": (("predict", "--text", " "), ["--text is empty"]),
    "output of unknown kind": (
        ("predict", "--text", "x", "--output", "out.xml"),
        ["out.xml", ".csv, .tsv, .jsonl, .parquet"],
    ),
    "output nowhere": (("predict", "--text", "x", "--output", "no/out.csv"), ["no folder"]),
    "unknown option": (("features", "--colour", "red"), ["--colour", "features --help"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_one_clear_line_and_exit_code_2(
    run: Run, data: Path, encoder: Path, case: str
) -> None:
    arguments, parts = WRONG[case]
    filled = [str(data) if argument == "DATA" else argument for argument in arguments]
    if filled[:1] and filled[0] in ("features", "train") and "--encoder" not in filled:
        filled += ["--encoder", str(encoder)]
    out = run(*filled)
    assert out.code == 2
    assert out.out == ""
    errors = [line for line in out.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert out.err.splitlines()[-1] == errors[0]
    for part in parts:
        assert part in errors[0], (part, errors[0])


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"", ["empty"]),
        (b"text,label\n", ["header", "no data rows"]),
        (b'text,label\n"a,x\nb,y\n', ["data.csv:2"]),
        (b"text,label\na,x,z\nb,y\n", ["data.csv:2"]),
        (b"text,label\na\x81\x8d,x\nb,y\n", ["0x81", "data.csv:2", "--encoding"]),
        (b"text,label\n ,x\nb,\n", ["1", "2", "--skip-empty"]),
        (b"text,label\na,x\nb,x\n", ["one class", "'x'"]),
        (b"text,label\na,x\nb,y\n", ["split"]),
    ],
)
def test_bad_files(
    run: Run, data: Path, encoder: Path, content: bytes, parts: list[str]
) -> None:
    data.write_bytes(content)
    out = run("train", "--data", data, "--encoder", encoder)
    assert out.code == 2
    (line,) = out.err.splitlines()
    for part in parts:
        assert part in line, (part, line)


def test_rows_without_text_can_be_skipped(run: Run, data: Path, encoder: Path) -> None:
    with data.open("a", encoding="utf-8") as file:
        file.write(" ,good\n")
    assert run("features", "--data", data, "--encoder", encoder).code == 2
    out = run("train", "--data", data, "--encoder", encoder, "--skip-empty", "--json")
    assert out.json["test"]["texts"] == 12
    assert "1 rows without a text or label were left out" in out.err


def test_a_warm_features_command_never_imports_torch(
    run: Run, data: Path, encoder: Path
) -> None:
    assert run("features", "--data", data, "--encoder", encoder).code == 0
    code = (
        "import sys; from pipeline.cli.main import main; code = main();"
        "heavy = {'torch', 'transformers', 'pydantic', 'matplotlib', 'jinja2', 'rich', 'tqdm'};"
        "sys.exit(code or ' '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "features", "--data", data, "--encoder", encoder],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert done.returncode == 0, done.stderr
    assert "all cached" in done.stderr


def test_an_interrupt_is_a_line_and_not_a_traceback(
    run: Run, data: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("features.encoding.plan.plan_encoding", interrupted)
    monkeypatch.setattr("pipeline.encoding.vectors.plan_encoding", interrupted)
    out = run("features", "--data", data, "--encoder", encoder)
    assert (out.code, out.out) == (130, "")
    assert "kept in the cache" in out.err


def test_the_example_is_the_default_data() -> None:
    assert EXAMPLE == REPOSITORY / "examples" / "emotions.csv"
    assert EXAMPLE.exists()
