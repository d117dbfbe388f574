"""A head that is trained is kept, whatever fails afterwards; and what is said of its score."""

from __future__ import annotations

import csv
import json
import os
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.cli.main import make_parser
from pipeline.cli.options import from_arguments
from pipeline.config import DataConfig, ExperimentConfig, VectorConfig
from pipeline.evaluation import baselines
from pipeline.evaluation.evaluation import Evaluation
from pipeline.reports import figures
from pipeline.training import partition
from pipeline.training.advice import LARGER, MULTILINGUAL, words_do_better
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
        return run("train", "--data", name, "--encoder", encoder, "--json").json

    return call


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


def test_a_picture_or_baseline_that_fails_is_a_note(
    train: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no such thing")

    monkeypatch.setattr(figures, "draw_confusion", fail)
    monkeypatch.setattr(baselines, "tfidf_logistic", fail)
    said: list[str] = []
    monkeypatch.setattr(figures, "print_note", said.append)
    result = train("data.csv")
    assert set(result["baselines"]) == {"majority"}
    assert said == [
        "note: confusion.png cannot be drawn (no such thing); the run is complete without it"
    ]
    assert (Path(result["run"]) / "curves.png").exists()
    assert not (Path(result["run"]) / "confusion.png").exists()


CONFIG = ExperimentConfig(
    data=DataConfig(data=Path("my data.csv")), vectors=VectorConfig(cache=Path("c")), folds=3
)


def answers(right: int) -> Evaluation:
    """Two classes, of which the first so many of 100 texts are labelled rightly."""
    labels = np.arange(100) % 2
    told = np.where(np.arange(100) < right, labels, 1 - labels)
    probabilities = np.eye(2, dtype=np.float32)[told]
    return Evaluation("test", np.arange(100), labels, probabilities, probabilities)


@pytest.mark.parametrize(
    ("head", "layout", "texts", "words"),
    [
        ("logistic", "pooled", "plain", ("--head logistic", "--layout pooled,words")),
        ("cnn", "tokens", "\u8bf4\u8bdd", ("--layout tokens,words", "--set filters=9")),
        ("logistic", "pooled,words", "plain", ("--head attention",)),
        ("cnn", "tokens,words", "plain", (f"--encoder {LARGER}", "--set filters=9")),
        ("cnn", "tokens,words", "\u8bf4\u8bdd", (f"--encoder {MULTILINGUAL}",)),
        ("knn", "pooled,words", "\u8bf4\u8bdd", (f"--encoder {MULTILINGUAL}",)),
    ],
)
def test_words_that_do_better_are_said_with_a_command(
    head: str, layout: str, texts: str, words: tuple[str, ...]
) -> None:
    config = replace(CONFIG, head=head, settings={"filters": 9} if head == "cnn" else {})
    labels = np.arange(100) % 2
    ask = (config, layout, [texts] * 100)
    (line,) = words_do_better(*ask, answers(60), labels)
    assert "100.0%" in line
    assert "60.0%" in line
    command = line.partition("try: ")[2]
    assert all(word in command for word in words)
    parsed = from_arguments(
        ExperimentConfig, make_parser().parse_args(shlex.split(command)[1:])
    )
    assert (parsed.data, parsed.folds) == (config.data, 3)
    assert words_do_better(*ask, answers(97), labels) == ()  # 3 texts: noise
    assert words_do_better(*ask, answers(100), 1 - labels) == ()


@pytest.mark.parametrize(("texts", "encoder"), [("plain", LARGER), ("\u8bf4", MULTILINGUAL)])
def test_no_command_is_named_that_was_just_run(texts: str, encoder: str) -> None:
    config = replace(CONFIG, vectors=replace(CONFIG.vectors, encoder=f"{encoder}@main"))
    (line,) = words_do_better(
        config, "tokens,words", [texts] * 100, answers(60), np.arange(100) % 2
    )
    assert "another --encoder" in line
    assert encoder not in line


def test_the_advice_comes_before_the_scores(run: Run, encoder: Path) -> None:
    """Words that an encoder of random weights mixes up tell the classes."""
    names = ["red", "green", "blue", "grey", "pink"]
    rows = [[f"x{i} it is {names[i % 5]} {i * 7 % 11}", names[i % 5]] for i in range(400)]
    with Path("data.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text", "label"], *rows])
    common = ("train", "--data", "data.csv", "--encoder", encoder, "--layout", "pooled")
    out = run(*common, "--set", "c=0.001")
    assert out.code == 0
    assert out.out.startswith("Words alone do better: TF-IDF + logistic")
    (line,) = run(*common, "--set", "c=0.001", "--json").json["advice"]
    assert line in out.out
