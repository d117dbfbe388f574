"""Several encoders in one head, end to end: train, predict, serve, export, search."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.errors import EncoderError
from manyheads import train as train_in_python
from pipeline.doctor.runs.run_case import case_of_run
from pipeline.prediction.explain import Explain
from pipeline.prediction.predictor import Predictor
from pipeline.serving.model import ServedModel
from tests.support.cli import Command, Refusal, write

TEXTS = ["boat and wave", "bird in the wind", "old fish"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """90 texts of two classes, told by one word."""
    random = np.random.default_rng(0)
    rows = [["text", "label"]]
    for number in range(90):
        word = ("boat fish wave", "cloud bird wind")[number % 2].split()[number % 3]
        words = random.permutation([word, *random.choice(["the", "and", "old", "a"], 3)])
        rows.append([f"{' '.join(words)} {number}", ("sea", "sky")[number % 2]])
    return write(tmp_path / "data.csv", rows)


@pytest.fixture
def both(tiny_models: dict[str, Path]) -> tuple[Path, Path]:
    return tiny_models["bert"], tiny_models["roberta"]


@pytest.fixture
def half(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part is given a share, whatever validation says of such tiny encoders."""
    monkeypatch.setattr("heads.trained.choose_share", lambda *_: 0.5)


def config_of(result: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(Path(result["run"], "config.json").read_text())
    return values


@pytest.mark.usefixtures("half")
@pytest.mark.parametrize("head", ["logistic", "meanmax"])
def test_what_is_trained_predicts(
    command: Command,
    refusal: Refusal,
    both: tuple[Path, Path],
    data: Path,
    tmp_path: Path,
    head: str,
) -> None:
    first, second = both
    quick = ["--set", "epochs=1", "min_steps=0"] if head == "meanmax" else []
    result = command(
        "train", "--data", data, "--encoder", first, "--encoder", second, "--head", head, *quick
    )
    config = config_of(result)
    assert (config["version"], config["vectors"]["encoder"]) == (3, f"{first},{second}")
    own, (further,) = config["resolved"], config["resolved"]["further"]
    assert (own["encoder"], further["encoder"]) == (str(first), str(second))
    assert own["fingerprint"] != further["fingerprint"]
    runs, cache = tmp_path / "runs", tmp_path / "cache"
    predictor = Predictor.load(result["run"], runs, cache)
    found = predictor.predict(TEXTS, explain=Explain(neighbors=1))
    weighed = predictor.predict(TEXTS, explain=Explain(words=True)).words
    assert weighed is not None
    served = ServedModel(predictor).answer(TEXTS, [Explain(neighbors=1), Explain(), Explain()])
    np.testing.assert_allclose(
        [each.probabilities for each in served], found.probabilities, atol=1e-3
    )
    assert served[0].neighbors == found.neighbors[0]

    out = tmp_path / "model"
    command("export-model", result["run"], "--out", out)
    assert not (out / "head.onnx").exists()
    assert f"those over {second.name}" in (out / "README.md").read_text()
    moved = Predictor.load(str(out), runs, cache, encoders=[str(second), str(first)])
    np.testing.assert_allclose(
        moved.predict(TEXTS).probabilities, found.probabilities, atol=1e-6
    )
    assert command("runs")["runs"][0]["encoder"] == f"{first},{second}"
    command("report", result["run"])
    line = refusal("predict", out, "--text", "boat", "--encoder", first)
    assert f"a folder '{second.name}'; say where that folder is now with --encoder" in line


@pytest.mark.usefixtures("half")
def test_an_encoder_that_is_gone_is_named(
    command: Command, both: tuple[Path, Path], data: Path, tmp_path: Path
) -> None:
    first, second = both
    lost = tmp_path / "lost"
    shutil.copytree(second, lost)
    result = command("train", "--data", data, "--encoder", first, lost, "--layout", "pooled")
    runs, cache = tmp_path / "runs", tmp_path / "cache"
    before = Predictor.load(result["run"], runs, cache).predict(TEXTS).probabilities
    shutil.rmtree(lost)
    with pytest.raises(EncoderError, match="lost"):
        Predictor.load(result["run"], runs, cache)
    with pytest.raises(EncoderError, match="lost"):
        Predictor.load(result["run"], runs, cache, encoders=[str(first)])
    again = Predictor.load(result["run"], runs, cache, encoders=[str(second)])
    np.testing.assert_array_equal(again.predict(TEXTS).probabilities, before)


def test_an_encoder_that_adds_nothing_is_not_needed(
    command: Command,
    both: tuple[Path, Path],
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = both
    monkeypatch.setattr("heads.trained.choose_share", lambda *_: 1.0)
    result = command(
        "train", "--data", data, "--encoder", f"{first},{second}", "--layout", "pooled"
    )
    own = config_of(result)["resolved"]
    assert (own["encoder"], own["further"]) == (str(second), [])
    predictor = Predictor.load(result["run"], tmp_path / "runs", tmp_path / "cache")
    assert [model.name for model in predictor.encoders[0]] == [str(second)]
    assert len(predictor.predict(TEXTS, explain=Explain(neighbors=1)).labels) == len(TEXTS)
    tables = case_of_run(Path(result["run"])).tables
    assert [each.width for each in tables.encoders] == [own["spec"]["width"]]


@pytest.mark.usefixtures("half")
def test_the_best_seed_is_that_of_the_whole_head(
    command: Command, both: tuple[Path, Path], data: Path
) -> None:
    quick = ("--head", "meanmax", "--set", "epochs=1", "min_steps=0", "refit=false")
    result = command("train", "--data", data, "--encoder", *both, *quick, "--seeds", 3)
    reached = [each["validation"]["accuracy"] for each in result["trainings"]]
    (best,) = [each for each in result["trainings"] if each["best"]]
    assert best["validation"]["accuracy"] == max(reached)


def test_from_python_and_in_a_search(
    command: Command, both: tuple[Path, Path], data: Path, tmp_path: Path
) -> None:
    first, second = both
    run = train_in_python(data, encoder=[first, second], layout="pooled", runs="python")
    assert config_of({"run": run.folder})["vectors"]["encoder"] == f"{first},{second}"
    pair = f"{first},{second}"
    result = command(
        *("search", "--data", data, "--encoder", pair, first, "--heads", "logistic"),
        *("--layout", "pooled", "--trials", 0, "--repeats", 1),
    )
    tried = {trial["encoder"] for trial in result["trials"] if trial["layout"]}
    assert tried == {pair, str(first)}


@pytest.mark.usefixtures("half")
def test_a_blend_of_heads_over_one_and_two(
    command: Command, both: tuple[Path, Path], data: Path, tmp_path: Path
) -> None:
    common = ("train", "--data", data, "--layout", "pooled", "--encoder")
    two = command(*common, *both)["run"]
    one = command(*common, both[0], "--head", "knn", "--split-of", two)["run"]
    blend = command("blend", two, one, "--weights", "equal")["run"]
    runs, cache = tmp_path / "runs", tmp_path / "cache"
    parts = [Predictor.load(run, runs, cache).predict(TEXTS) for run in (two, one)]
    opened = Predictor.load(blend, runs, cache)
    expected = opened.opened.merged([part.probabilities for part in parts])
    found = opened.predict(TEXTS, explain=Explain(neighbors=1)).probabilities
    np.testing.assert_allclose(found, expected, atol=1e-5)
    command("export-model", blend, "--out", tmp_path / "model")
    moved = Predictor.load(str(tmp_path / "model"), runs, cache, encoders=[*map(str, both)])
    np.testing.assert_allclose(moved.predict(TEXTS).probabilities, found, atol=1e-5)


def test_what_will_not_do(
    refusal: Refusal, both: tuple[Path, Path], data: Path, tmp_path: Path
) -> None:
    first, second = both
    train = "train", "--data", data
    assert "twice" in refusal(*train, "--encoder", first, "--encoder", first)
    copy = tmp_path / "copy"
    shutil.copytree(first, copy)
    line = refusal(*train, "--encoder", first, "--encoder", copy)
    assert "names one encoder twice, as" in line
    assert "an empty name between its commas" in refusal(*train, "--encoder", f"{first},")
    line = refusal("features", "--data", data, "--encoder", first, "--encoder", second)
    assert "--encoder takes one encoder here, not 2" in line
