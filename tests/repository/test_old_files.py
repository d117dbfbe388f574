"""Caches, runs and model folders of an older version still work; see tests/old/README.md."""

import json
import shutil
from pathlib import Path

import pytest

from pipeline.cli.main import main
from pipeline.runs.reader import read_history

OLD = Path(__file__).parents[1] / "old"
PREDICTIONS = json.loads((OLD / "predictions.json").read_text(encoding="utf-8"))


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A copy, so that reading cannot change the originals."""
    return Path(shutil.copytree(OLD, tmp_path / "old"))


def answer(capsys: pytest.CaptureFixture[str], *command: str) -> dict:
    assert main([*command, "--json"]) == 0, capsys.readouterr().err
    return dict(json.loads(capsys.readouterr().out))


@pytest.mark.parametrize("run", PREDICTIONS)
def test_an_old_run_predicts_what_it_did(
    run: str, old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = old / "model" if run == "model" else old / "runs" / run
    data, cache = str(old / "texts.csv"), str(old / "cache")
    done = answer(capsys, "predict", "--run", str(folder), "--data", data, "--cache", cache)
    predicted = [row["probabilities"] for row in done["predictions"]]
    for now, before in zip(predicted, PREDICTIONS[run], strict=True):
        assert now == pytest.approx(before, abs=2e-3)


def test_the_history_of_an_old_run_is_read(old: Path) -> None:
    history = read_history(old / "runs" / "cnn")
    assert [line.record.epoch for line in history] == [1, 2]
    assert all(0 < line.record.value < 1 for line in history), "once called learning_rate"


def test_an_old_cache_serves_and_is_sound(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, cache = str(old / "texts.csv"), str(old / "cache")
    shards = sorted(path.name for path in (old / "cache").rglob("*.parquet"))
    done = answer(
        capsys, "features", "--data", data, "--cache", cache, "--precision", "float32"
    )
    assert done["encoded"] == 0
    assert sorted(path.name for path in (old / "cache").rglob("*.parquet")) == shards
    assert main(["verify", "--cache", cache]) == 0


def test_an_old_run_lends_its_split(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = answer(
        capsys,
        *("train", "--head", "logistic", "--split-of", str(old / "runs" / "logistic")),
        *("--data", str(old / "texts.csv"), "--cache", str(old / "cache")),
        *("--runs", str(old / "runs"), "--precision", "float32"),
    )
    assert done["test"]["texts"] == 4
