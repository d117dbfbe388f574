"""A head that is trained is kept, whatever fails afterwards."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.evaluation import baselines
from pipeline.reports import plots
from pipeline.training import partition
from tests.support.cli import Run
from tests.support.corpora import sentence

Train = Callable[[str], dict]  # type: ignore[type-arg]


def letters(number: int) -> str:
    """A text of single letters, whose marks tell odd numbers."""
    drawn = "".join(np.random.default_rng(number).choice(list("bdfgklmnprst"), 12))
    return " ".join(drawn + "?!"[number % 2] * 3)


@pytest.fixture
def train(run: Run, encoder: Path) -> Train:
    """Train on texts in a file of this name, of two classes named with odd characters."""

    def call(name: str, words: bool = True) -> dict:  # type: ignore[type-arg]
        texts = [sentence(i) if words else letters(i) for i in range(60)]
        with Path(name).open("w", newline="", encoding="utf-8") as file:
            rows = [[text, "$a$"[: 2 + i % 2]] for i, text in enumerate(texts)]
            csv.writer(file).writerows([["text", "label"], *rows])
        done = run("train", "--data", name, "--encoder", encoder, "--json")
        return {**done.json, "notes": done.err.splitlines()}

    return call


@pytest.mark.usefixtures("real_pictures")
@pytest.mark.parametrize(
    "name", ["cost_$5_$10.csv", "a\nb.csv", "caf\udce9 {x_^.csv", "$\\$.csv"]
)
def test_any_name_of_the_data_does(
    train: Train, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The stderr of pytest refuses what that of Python escapes.
    monkeypatch.setattr(partition, "print_note", lambda text: None)
    folder = Path(train(name)["run"])
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert os.fsencode(config["data"]["data"]).endswith(b"/" + os.fsencode(name))
    assert (folder / "confusion.png").stat().st_size > 1000
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_texts_without_words_are_trained_on(train: Train) -> None:
    result = train("data.csv", words=False)
    assert result["baselines"]["tfidf_logistic"]["accuracy"] > 0.9


@pytest.mark.usefixtures("real_pictures")
def test_a_picture_or_baseline_that_fails_is_a_note(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no such thing")

    monkeypatch.setattr(plots, "draw_confusion", fail)
    monkeypatch.setattr(baselines, "tfidf_logistic", fail)
    result = train("data.csv")
    assert set(result["baselines"]) == {"majority"}
    assert [line for line in result["notes"] if "drawn" in line] == [
        "note: confusion.png cannot be drawn (no such thing); the run is complete without it"
    ]
    assert (Path(result["run"]) / "curves.png").exists()
    assert not (Path(result["run"]) / "confusion.png").exists()
