"""Words beside vectors, end to end: train, predict, export, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.prediction.predictor import Predictor
from tests.support.cli import Command, Refusal, write

TOPICS = {
    "sea": "boat fish wave harbour",
    "sky": "cloud bird wind moon",
    "soil": "worm root seed",
}
COMMON = ["the", "and", "of", "a", "with", "for", "some", "many", "old", "new"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """120 texts whose class only one word tells."""
    random = np.random.default_rng(0)
    rows = [["text", "label"]]
    for number in range(120):
        label = list(TOPICS)[number % 3]
        words = [*random.choice(COMMON, 5), random.choice(TOPICS[label].split())]
        rows.append([f"{' '.join(random.permutation(words))} {number}", label])
    return write(tmp_path / "data.csv", rows)


def predictions(result: dict[str, Any]) -> dict[int, str]:
    rows = pq.read_table(Path(result["run"], "predictions.parquet")).to_pylist()
    return {row["row"]: row["predicted"] for row in rows if row["side"] == "test"}


@pytest.mark.parametrize("layout", ["pooled,words", "words"])
def test_what_is_trained_predicts(
    command: Command, tiny_models: dict[str, Path], data: Path, layout: str, tmp_path: Path
) -> None:
    result = command(
        "train", "--data", data, "--encoder", tiny_models["bert"], "--layout", layout
    )
    assert result["layout"] == layout
    assert result["test"]["accuracy"] > 0.8
    tested = predictions(result)
    lines = data.read_text().splitlines()
    texts = [lines[row].rsplit(",", 1)[0] for row in tested]
    predictor = Predictor.load(result["run"], tmp_path / "runs", tmp_path / "cache")
    assert predictor.predict(texts).labels == list(tested.values())
    out = tmp_path / "model"
    command("export-model", result["run"], "--out", out)
    head = json.loads((out / "model.json").read_text())
    assert (out / "head.onnx").exists() == ("words" not in head["layout"])
    if head["layout"] == "words":  # which need no encoder
        exported = Predictor.load(str(out), tmp_path / "runs", tmp_path / "nothing")
        assert exported.predict(texts).labels == list(tested.values())
        assert not (tmp_path / "nothing").exists()
    else:
        assert layout == "pooled,words"


def test_default_layouts(command: Command, tiny_models: dict[str, Path], data: Path) -> None:
    common = ("train", "--data", data, "--encoder", tiny_models["bert"])
    assert command(*common)["layout"] == "pooled,words"
    assert command(*common, "--head", "knn")["layout"] == "pooled"


def test_words_beside_a_sequence(
    command: Command, tiny_models: dict[str, Path], data: Path
) -> None:
    quick = ("--head", "cnn", "--set", "epochs=1", "filters=4", "kernels=1")
    common = ("train", "--data", data, "--encoder", tiny_models["bert"], *quick)
    words = command(*common, "--layout", "tokens,words", "--folds", 2)
    assert (
        words["test"]["accuracy"] > command(*common, "--layout", "tokens")["test"]["accuracy"]
    )


@pytest.mark.parametrize(
    ("layout", "why"),
    [
        ("tokens,words", "does not take the layout 'tokens,words'"),
        ("pooled,tokens", "one layout of vectors, words, or both"),
        ("word", "does not take the layout 'word'"),
    ],
)
def test_layouts_that_will_not_do(refusal: Refusal, data: Path, layout: str, why: str) -> None:
    assert why in refusal("train", "--data", data, "--layout", layout)
