"""Blends end to end: scored, predicting, exported; and what is refused."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from features.vectors.spec import FeatureSpec
from pipeline.blending import blend
from pipeline.blending.report import blend_text
from pipeline.cli.main import main
from pipeline.prediction import predictor
from pipeline.runs.folder import PROBABILITIES
from pipeline.runs.reader import read_blend_metrics, read_held_out
from tests.support.cli import Command, Refusal, three_classes
from tests.support.cli import run_name as name


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return three_classes(tmp_path / "data.csv")


@pytest.mark.usefixtures("real_pictures")
def test_a_blend_scores_predicts_and_is_exported(
    train: Command,
    command: Command,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    tokens = train("attention", "--seeds", 2)
    pooled = train("logistic", "--seeds", 2)
    sentences = train("cnn", "--layout", "sentences")
    parts = [name(each) for each in (pooled, tokens, sentences)]
    result = command("blend", *parts)
    assert [part["run"] for part in result["parts"]] == parts
    for part, run in zip(result["parts"], (pooled, tokens, sentences), strict=True):
        assert (part["validation"], part["test"]) == (run["validation"], run["test"])
    assert result["baselines"] == pooled["baselines"]
    validation = [part["validation"]["accuracy"] for part in result["parts"]]
    assert result["best_part"] == int(np.argmax(validation))
    gain = result["test"]["accuracy"] - result["parts"][result["best_part"]]["test"]["accuracy"]
    assert result["gain_test"]["mean"] == pytest.approx(gain)
    assert len(result["over_seeds"]["accuracy"]["values"]) == 2

    # The folder says the same, in the columns that docs/run-folder.md names, and what it
    # predicts is the mean of what its parts predict.
    folder = Path(result["run"])
    assert json.loads((folder / "metrics.json").read_text()) == result
    kept = read_held_out(folder).folds[0].test
    assert kept.score().accuracy == result["test"]["accuracy"]
    table = pq.read_table(folder / PROBABILITIES)
    documented = ["fold", "seed", "best", "side", "row", "position", "label", "probabilities"]
    assert table.column_names == documented
    assert json.loads(table.schema.metadata[b"manyheads"])["classes"] == ["bad", "good", "odd"]
    rows = pq.read_table(folder / "predictions.parquet").to_pylist()
    assert sum(row["side"] == "test" for row in rows) == result["test"]["texts"]
    assert {path.name for path in folder.glob("*.png")} == {"calibration.png", "confusion.png"}
    texts = ("--text", "cat sat. Rain fell.", "--text", "dogs at night")
    single = [shares(command("predict", "--run", run, *texts)) for run in parts]
    temperature = result["calibration"]["temperature"]
    powers = np.mean(single, axis=0) ** (1 / temperature)
    expected = powers / powers.sum(axis=1, keepdims=True)
    for part in parts:
        shutil.rmtree(folder.parent / part)  # the blend holds copies
    got = shares(command("predict", "--run", "latest", *texts))
    np.testing.assert_allclose(got, expected, atol=2e-6)
    explained = command("predict", "--run", name(result), *texts, "--explain", 2)
    assert all(len(each["neighbors"]) == 2 for each in explained["predictions"])

    exported = command("export-model", name(result), "--out", tmp_path / "model")
    assert (exported["head"], exported["labels"]) == ("blend", 3)
    shutil.rmtree(folder)
    again = shares(
        command("predict", "--run", tmp_path / "model", *texts, "--encoder", encoder_of(train))
    )
    np.testing.assert_allclose(again, got, atol=1e-6)
    card = (tmp_path / "model" / "README.md").read_text()
    for link in re.findall(r"\]\((.+?)\)", card):
        assert (tmp_path / "model" / link).is_file()
    (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    scope: dict[str, Any] = {}
    exec(code, scope)
    np.testing.assert_allclose(scope["blend"](single), expected, atol=2e-6)


def test_a_weighted_blend_predicts_by_its_weights(
    train: Command,
    command: Command,
    refusal: Refusal,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The parts are encoded in another order than they have in the blend."""
    monkeypatch.setattr(blend, "TEXTS_PER_WEIGHT", 1)
    runs = [train("logistic"), train("cnn", "--layout", "sentences"), train("mlp")]
    parts = [name(each) for each in runs]
    text = ("--text", "cat sat. Rain fell.")
    single = [shares(command("predict", run, *text)) for run in parts]
    result = command("blend", *parts, "--weights", "learned")
    weights = result["weights"]
    assert (sum(weights), result["weighting"]["kind"]) == (pytest.approx(1), "learned")
    assert max(weights) > min(weights) + 0.01
    powers = np.average(single, axis=0, weights=weights)
    powers = powers ** (1 / result["calibration"]["temperature"])
    expected = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares(command("predict", "latest", *text)), expected, atol=2e-6)
    report = blend_text(read_blend_metrics(Path(result["run"])))
    assert f"1: logistic over pooled, weight {weights[0]:.2f}, run {parts[0]}" in report
    assert "weights: learned on validation, which they flatter" in report

    command("export-model", name(result), "--out", tmp_path / "model")
    given = json.loads(Path(runs[0]["run"], "config.json").read_text())["vectors"]["encoder"]
    again = shares(command("predict", tmp_path / "model", *text, "--encoder", given))
    np.testing.assert_allclose(again, expected, atol=2e-6)
    card = (tmp_path / "model" / "README.md").read_text()
    assert f"(parts/1/README.md), weight {round(weights[0], 3)}\n- [2" in card
    (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    scope: dict[str, Any] = {}
    exec(code, scope)
    np.testing.assert_allclose(scope["blend"](single), expected, atol=2e-6)
    line = refusal("blend", *parts, "--select", "--weights", "equal")
    assert "--select finds the weights itself" in line
    described = Path(result["run"], "blend.json")
    values = json.loads(described.read_text())
    described.write_text(json.dumps({**values, "weights": weights[:2]}))
    assert "weights must be one for each head" in refusal("predict", "latest", *text)


def encoder_of(train: Command) -> Path:
    """Where the tiny encoder is: an exported model knows the name of its folder alone."""
    config = json.loads(Path(train("logistic")["run"], "config.json").read_text())
    return Path(config["vectors"]["encoder"])


def shares(predicted: dict[str, Any]) -> np.ndarray:
    return np.array([list(each["probabilities"].values()) for each in predicted["predictions"]])


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[str, ...], list[str]]]:
    """What passed through an encoder: layouts and texts."""
    given: list[tuple[tuple[str, ...], list[str]]] = []
    load = predictor.load_encoder

    def counted(*arguments: Any, **options: Any) -> Any:
        encoder = load(*arguments, **options)
        encode = encoder.encode_some

        def noted(texts: Sequence[str], specs: Sequence[FeatureSpec], *others: Any) -> Any:
            given.append((tuple(spec.layout for spec in specs), list(texts)))
            return encode(texts, specs, *others)

        monkeypatch.setattr(encoder, "encode_some", noted)
        return encoder

    monkeypatch.setattr(predictor, "load_encoder", counted)
    return given


def test_prediction_encodes_each_text_once(
    train: Command, command: Command, encoded: list[tuple[tuple[str, ...], list[str]]]
) -> None:
    """Pooled vectors come with tokens, and sentences alone need no pooled ones."""
    sentences = name(train("mlp", "--layout", "sentences", "--head", "cnn"))
    parts = [name(train("logistic")), name(train("cnn")), sentences]
    command("blend", *parts)
    for run, text, layouts in (
        ("latest", "fox on mats", {("pooled", "tokens"), ("sentences",)}),
        (parts[0], "mats on fox", {("pooled",)}),
        (sentences, "a red fox", {("sentences",)}),
    ):
        encoded.clear()
        command("predict", "--run", run, "--text", text)
        assert {spaces for spaces, _ in encoded} == layouts
        assert all(texts == [text] for _, texts in encoded)


def test_a_text_that_one_part_sees_cut_is_reported(train: Command, command: Command) -> None:
    parts = [name(train("cnn", "--layout", "sentences")), name(train("cnn"))]
    command("blend", *parts)
    text = "cat sat on mats " * 60
    cut = [command("predict", "--run", run, "--text", text)["truncated"] for run in parts]
    assert cut == [0, 1]
    assert command("predict", "--text", text)["truncated"] == 1


def test_the_report_says_whether_the_blend_is_better(train: Command, command: Command) -> None:
    parts = [name(train("logistic")), name(train("cnn"))]
    result = command("blend", *parts)
    assert result["command"].startswith("manyheads predict 2")
    shown = Path(result["run"], "report.txt").read_text(encoding="utf-8")
    assert f"1: logistic over pooled, run {parts[0]}" in shown
    assert "the run that is best on validation:" in shown
    assert re.search(r"test +[+-]\d+\.\d points of accuracy, 95 % interval", shown)


def test_what_cannot_be_blended_is_refused(
    train: Command, command: Command, refusal: Refusal
) -> None:
    one, two = train("logistic"), train("mlp")
    assert "takes two runs or more; got 1" in refusal("blend", name(one))
    assert "are the same training" in refusal("blend", name(one), Path(one["run"]))
    assert main(["blend", name(one), name(two)]) == 0
    assert "is a blend itself" in refusal("blend", name(one), "latest")
    own = f"{name(command('predict', '--text', 'a'))}/parts/"
    assert f"its copies of them, {own}1" in refusal("blend", name(one), "latest")
    assert "are the same training" in refusal("blend", name(one), f"{own}1")
    assert command("blend", f"{own}1", f"{own}2")["parts"][1]["run"] == f"{own}2"
    path = Path(two["run"], PROBABILITIES)
    path.write_bytes(path.read_bytes()[:-40])
    assert f"{path} is damaged" in refusal("blend", name(one), name(two))
    path.unlink()
    assert f"has no {PROBABILITIES}" in refusal("blend", name(one), name(two))


def test_runs_on_other_data_are_refused_before_torch_is_imported(
    train: Command, data: Path
) -> None:
    one, two = (Path(train(head)["run"]) for head in ("logistic", "mlp"))
    path = two / PROBABILITIES
    table = pq.read_table(path)
    described = json.loads(table.schema.metadata[b"manyheads"])
    described["corpus_digest"] = "another"
    changed = table.replace_schema_metadata({b"manyheads": json.dumps(described)})
    pq.write_table(changed, path)
    code = (
        "import sys; from pipeline.cli.main import main; "
        f"assert main(['blend', {str(one)!r}, {str(two)!r}]) == 2; "
        f"assert main(['blend', {str(one)!r}, {str(one)!r}]) == 2; "
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert "different texts, labels or split columns" in done.stderr
    assert "are the same training" in done.stderr


def test_a_damaged_run_is_not_blended(train: Command, refusal: Refusal) -> None:
    one, two = train("logistic"), train("mlp")
    damages = (
        ("head.safetensors", b"short"),
        ("config.json", b"{}"),
        ("metrics.json", b'{"baselines": [], "leaked": 0, "notes": []}'),
        ("metrics.json", b'{"baselines": {"majority": {"accuracy_interval": [1]}}}'),
        ("training.parquet", None),
        ("probabilities.parquet", b"PAR1"),
    )
    for file, content in damages:
        path = Path(two["run"], file)
        whole = path.read_bytes()
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        assert str(path) in refusal("blend", name(one), name(two))
        assert not list(path.parent.parent.glob("*blend-??????"))
        path.write_bytes(whole)


def test_parts_of_several_encoders(
    train: Command,
    command: Command,
    refusal: Refusal,
    tiny_models: dict[str, Path],
    tmp_path: Path,
) -> None:
    """Each part takes the encoder that fits it, where there are several."""
    one = train("logistic")
    two = train("mlp", "--split-of", name(one), "--encoder", tiny_models["roberta"])
    blended = name(command("blend", name(one), name(two)))
    exported = tmp_path / "model"
    command("export-model", blended, "--out", exported)
    text = ("--text", "a red fox")
    bert, roberta = (("--encoder", str(tiny_models[family])) for family in ("bert", "roberta"))
    expected = shares(command("predict", "--run", blended, *text))
    for run, encoders in ((blended, bert), (blended, roberta), (exported, bert + roberta)):
        got = shares(command("predict", "--run", run, *text, *encoders))
        np.testing.assert_allclose(got, expected, atol=1e-6)
    assert "'roberta'; say where" in refusal("predict", "--run", exported, *text, *bert)
    # One that fits no part is refused, though the parts know where theirs are.
    wrong = ("--encoder", tiny_models["xlnet"])
    assert "is not the one that" in refusal("predict", "--run", blended, *text, *wrong)
    assert "nix" in refusal("predict", "--run", blended, *text, "--encoder", "nix")
    assert "say where that folder is now" in refusal("predict", "--run", exported, *text)


def test_a_damaged_blend_is_noticed(train: Command, command: Command, refusal: Refusal) -> None:
    one, two = train("logistic"), train("mlp")
    whole = Path(command("blend", name(one), name(two))["run"])
    for damage in ("weights", "json", "missing", "labels", "part"):
        folder = Path(shutil.copytree(whole, whole.with_name(damage)))
        described, (first, second) = folder / "blend.json", sorted((folder / "parts").iterdir())
        if damage == "weights":
            shutil.copyfile(first / "head.safetensors", second / "head.safetensors")
        elif damage == "json":
            described.write_text('{"version": 1}')
        elif damage == "missing":
            described.unlink()
        elif damage == "labels":
            values = json.loads(described.read_text())
            described.write_text(json.dumps({**values, "labels": ["bad", "good", "new"]}))
        else:
            shutil.rmtree(second)
        line = refusal("predict", "--run", folder, "--text", "a cat")
        assert line.startswith(f"error: the blend {folder} is damaged (")
        assert line.endswith("): blend the runs, or their copies in its parts, again")
        assert "train" not in line
