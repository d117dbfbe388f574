"""Runs from Python: trained, opened again, and asked."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import manyheads
from features.errors import ArrayError, CacheError, CorpusError, SettingError
from features.options import options_of
from manyheads.keywords import in_keywords
from pipeline.config import ExperimentConfig
from tests.support.cli import BAD, GOOD

REPOSITORY = Path(__file__).resolve().parents[2]
TEXTS = [f"{(GOOD if i % 2 else BAD)[i // 2 % 4]} {i}" for i in range(80)]
LABELS = ["good" if i % 2 else "bad" for i in range(80)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("python")


@pytest.fixture(scope="module")
def common(folder: Path, tiny_models: dict[str, Path]) -> dict[str, object]:
    places = {"cache": folder / "cache", "runs": str(folder / "runs")}
    return {**places, "encoder": str(tiny_models["bert"]), "progress": False}


@pytest.fixture(scope="module")
def run(common: dict[str, object]) -> manyheads.Run:
    """A head of texts that were in memory."""
    frame = pd.DataFrame({"id": range(80), "text": TEXTS, "label": LABELS})
    return manyheads.train(frame, **common)


def test_a_run_has_scores_and_pictures(run: manyheads.Run) -> None:
    assert run.head == "logistic"
    assert run.test.texts == run.metrics["test"]["texts"] == 12
    assert run.test.accuracy == run.metrics["test"]["accuracy"]
    assert run.classes == ("bad", "good")
    assert len(run.predictions.to_pandas()) == run.test.texts + run.validation.texts
    assert len(run.errors) == round(run.test.texts * (1 - run.test.accuracy))
    assert run.picture("confusion")._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(
        SettingError, match="has no picture 'cat'; it has calibration, confusion"
    ):
        run.picture("cat")
    assert "TF-IDF" in run._repr_html_()
    assert run.test.told in repr(run)


def test_labels_are_a_sequence_and_fit_into_a_data_frame(run: manyheads.Run) -> None:
    frame = pd.DataFrame({"text": ["<b>rain</b>", "the cat sat", "dogs bark"]})
    predicted = run.predict(frame)
    assert list(predicted) == predicted.labels == list(run.predict(frame["text"]))
    assert predicted[0] in run.classes
    assert predicted.confidence.tolist() == predicted.probabilities.max(axis=1).tolist()
    frame["label"] = predicted
    assert frame["label"].tolist() == predicted.labels
    shown = predicted._repr_html_()
    assert "&lt;b&gt;rain" in shown
    assert predicted[0] in shown
    explained = run.predict([TEXTS[0]], explain=2)
    assert [len(near) for near in explained.neighbors] == [2]


def test_evaluation_says_what_was_learned(
    run: manyheads.Run, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    score = run.evaluate(TEXTS, LABELS)
    assert score.texts == 80
    assert "the run learned from 68 of these 80 texts" in capsys.readouterr().err
    frame = pd.DataFrame({"text": TEXTS, "label": LABELS})
    assert run.evaluate(frame) == score
    frame.to_csv(tmp_path / "data.csv", index=False)
    assert run.evaluate("data.csv") == score
    assert run.evaluate(["something new"], ["a label it lacks"]).accuracy == 0


def test_a_run_is_opened_again(run: manyheads.Run, folder: Path) -> None:
    again = manyheads.load_run("latest", runs=folder / "runs", cache=folder / "cache")
    assert again.name == run.name
    texts = ["rain again", "seven eight"]
    same = again.predict(texts).probabilities
    assert np.array_equal(same, run.predict(texts).probabilities)
    with pytest.raises(CacheError, match="no run 'mine'"):
        manyheads.load_run("mine", runs=folder / "runs")


def test_what_was_in_memory_is_kept_once(
    run: manyheads.Run, common: dict[str, object], folder: Path
) -> None:
    (kept,) = (folder / "runs" / "data").iterdir()
    assert run.config["data"]["data"] == str(kept)
    columns = pd.read_parquet(kept).columns.tolist()
    assert columns == ["text", "label"]
    other = manyheads.train(pd.read_parquet(kept), seed=3, **common)
    assert other.metrics["test"] == run.metrics["test"]
    assert other.config["seed"] == 3
    assert [kept] == list((folder / "runs" / "data").iterdir())


def test_wrong_data_is_said_and_leaves_nothing(common: dict[str, object], folder: Path) -> None:
    before = sorted((folder / "runs").glob("data/*"))
    frame = pd.DataFrame({"text": TEXTS, "label": LABELS})
    short = frame.assign(label=["a", *[None] * 79])
    with pytest.raises(CorpusError, match=r"^the data: empty label"):
        manyheads.train(short, **common)
    assert sorted((folder / "runs").glob("data/*")) == before
    for given, message in (
        ((TEXTS,), "texts need labels"),
        ((TEXTS, LABELS[:3]), "80 texts, but 3 labels"),
        ((frame, LABELS), "label_column="),
        (("data.csv", LABELS), "label_column="),
    ):
        with pytest.raises(ArrayError, match=message):
            manyheads.train(*given, **common)


def test_wrong_texts_are_said(run: manyheads.Run) -> None:
    for texts, message in (
        ("one", "give a list of texts"),
        (["one", 2], "text 2 of 2 is 2"),
        (["one", " "], "text 2 of 2"),
        ([None], "text 1 of 1 is None"),
    ):
        with pytest.raises(ArrayError, match=message):
            run.predict(texts)
    with pytest.raises(CorpusError, match="no column 'text'"):
        run.predict(pd.DataFrame({"body": ["one"]}))


def test_errors_name_keywords(common: dict[str, object], folder: Path) -> None:
    (folder / "other.csv").write_text("id,note\n1,a b\n2,c d\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"one with text_column$"):
        manyheads.train(folder / "other.csv", text_column="body", label_column="id", **common)
    with pytest.raises(SettingError, match=r"^folds must be"):
        manyheads.train(TEXTS, LABELS, folds=1, **common)
    copied = "--split random, or manyheads train --data a.csv --head cnn; see --nothing"
    assert in_keywords(copied) == (
        "split='random', or manyheads train --data a.csv --head cnn; see --nothing"
    )


def test_keywords_are_the_options_of_the_command() -> None:
    own = {"data", "set"}  # --set is the argument settings
    known = {each.name for each in options_of(ExperimentConfig)} - own
    assert known <= set(inspect.signature(manyheads.train).parameters)
    assert all(
        f"{name}: " in str(manyheads.train.__doc__) for name in known - {"head", "preset"}
    )
    for keyword, message in (
        ("fold", "did you mean 'folds'"),
        ("epochs", r"setting of the head cnn: pass settings={'epochs': ...}"),
        ("epoch", r"did you mean settings={'epochs': ...}"),
        ("standardize", "a setting of other heads than cnn: logistic"),
        ("colour_of_the_sky", r"help\(manyheads.train\)"),
    ):
        with pytest.raises(TypeError, match=message):
            manyheads.train(TEXTS, LABELS, head="cnn", **{keyword: 3})
    for keywords, message in (
        ({"folds": "x"}, "folds got 'x'"),
        ({"dtype": "f"}, "choose one of"),
    ):
        with pytest.raises(SettingError, match=message):
            manyheads.train(TEXTS, LABELS, **keywords)


def test_importing_is_light_and_sets_the_threads() -> None:
    script = (
        "import os, sys, {0}\n"
        "assert not {{'torch', 'sklearn', 'pandas'}} & set(sys.modules)\n"
        "assert os.environ['GOMP_SPINCOUNT'] == '1000'\n"
    )
    unset = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    command = [sys.executable, "-m", "manyheads", "--version"]
    done = subprocess.run(command, check=True, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.stdout.startswith("manyheads ")
    for package in ("manyheads", "heads"):
        command = [sys.executable, "-c", script.format(package)]
        subprocess.run(command, check=True, cwd=REPOSITORY, env=environment)
    assert set(manyheads.__all__) <= set(dir(manyheads))
    with pytest.raises(AttributeError, match="nothing"):
        manyheads.nothing  # noqa: B018


def test_the_examples_of_api_md_run(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tiny_models: dict[str, Path],
) -> None:
    quick = partial(manyheads.train, encoder=str(tiny_models["bert"]))
    monkeypatch.setattr(manyheads, "train", quick)
    frame = pd.DataFrame({"text": TEXTS, "label": LABELS})
    frame.to_csv("reviews.csv", index=False)
    page = (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(block, names)  # the page's own code, as a reader would run it
        if "tokens" in names and "scores" not in names:
            assert names["pooled"].values.shape == (3, 384)
            assert names["tokens"].sequence(1).shape == (6, 384)
    assert len(names["scores"]) == 5
    assert len(names["predicted"].neighbors[0]) == 2
    assert capsys.readouterr().out.count("\n") == 2
