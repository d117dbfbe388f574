"""The weight of a word is what the head says without it, and no text is encoded for it."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.errors import SettingError
from features.vectors.table import POOLED, TOKENS, FeatureTable
from features.words.counting import count_words
from pipeline.prediction.explain import Explain
from pipeline.prediction.predictor import Predictor
from tests.support.cli import Command, Refusal, Run

TEXTS = ["the cat sat on the mat 3", "nobody expected  that night.", "rain 日本 again " * 30]
OLD = Path(__file__).parents[2] / "old"


def opened(run: str) -> Predictor:
    return Predictor.load(run, Path("runs"), Path("cache"))


def without(table: np.ndarray, rows: list[int], head: Any, layout: str) -> np.ndarray:
    """The probabilities of one text without some of its vectors."""
    kept = np.delete(table, rows, axis=0)
    if layout == POOLED:
        kept = kept.astype(np.float32).mean(axis=0, keepdims=True)
        kept = kept.astype(table.dtype)
    offsets = np.array([0, len(kept)])
    return head.predict_proba(FeatureTable(kept, offsets, layout), np.array([0]))[0]


@pytest.mark.parametrize(
    ("head", "layout"), [("cnn", "tokens"), ("logistic", "pooled"), ("lstm", "tokens")]
)
def test_a_word_weighs_what_the_head_says_without_its_vectors(
    train: Command, head: str, layout: str
) -> None:
    predictor = opened(train(head, "--layout", layout)["run"])
    found = predictor.predict(TEXTS, Explain(words=True))
    assert found.words is not None
    assert found.words.unit == "probability"
    vectors = predictor.vectors(0, TEXTS, False, words=True)
    assert not len(vectors.plan.missing), "all are cached by now"
    table = vectors.table(TOKENS)
    own = predictor.opened.parts[0].head
    words = found.words.texts[0]
    assert [each.word for each in words] == TEXTS[0].split()
    label = found.probabilities[0].argmax()
    whole = without(table.sequence(0), [], own, layout)
    spans = predictor.words._spans[0, 0].of(TEXTS, "", table.lengths)[0]  # type: ignore[union-attr]
    for each in words:
        rows = [
            i
            for i, (start, end) in enumerate(spans.tolist())  # type: ignore[union-attr]
            if start < each.end and end > each.start
        ]
        assert rows
        expected = whole - without(table.sequence(0), rows, own, layout)
        assert each.weight == pytest.approx(float(expected[label]), abs=2e-6)
    long = found.words.texts[2]
    assert 0 < len(long) < len(TEXTS[2].split()), "what is cut off is not weighed"
    assert all(TEXTS[2][each.start : each.end] == each.word for each in long)


def test_the_mean_of_the_tokens_is_the_pooled_vector(train: Command) -> None:
    predictor = opened(train("logistic", "--layout", "pooled")["run"])
    predictor.predict(TEXTS, Explain(words=True))
    vectors = predictor.vectors(0, TEXTS, False, words=True)
    pooled, tokens = vectors.table(POOLED), vectors.table(TOKENS)
    for row in range(len(TEXTS)):
        mean = tokens.sequence(row).astype(np.float32).mean(axis=0)
        assert np.allclose(mean, pooled.values[row], atol=2e-3)


def test_words_as_features_have_exact_weights(train: Command) -> None:
    predictor = opened(train("logistic", "--layout", "words")["run"])
    found = predictor.predict(TEXTS, Explain(words=True))
    assert found.words is not None
    assert found.words.unit == "logit"
    head = predictor.opened.parts[0].head
    assert head.words is not None
    logits = head.words.logits(count_words(TEXTS), np.arange(3)) - head.words.bias
    own = (logits - logits.mean(axis=1, keepdims=True)) / head.temperature
    for row, words in enumerate(found.words.texts):
        label = found.probabilities[row].argmax()
        assert sum(each.weight for each in words) == pytest.approx(own[row, label], abs=1e-3)


def test_words_beside_vectors_and_blends(train: Command, command: Command) -> None:
    runs = [
        train("logistic", "--layout", "pooled,words", "--seed", 3)["run"],
        train("cnn", "--layout", "tokens", "--seed", 3)["run"],
    ]
    blend = command("blend", *runs)["run"]
    for run in (runs[0], blend):
        told = command("predict", run, "--text", TEXTS[0], "--explain", "words,2")
        (one,) = told["predictions"]
        assert [each["word"] for each in one["words"]] == TEXTS[0].split()
        assert any(each["weight"] for each in one["words"])
        assert len(one["neighbors"]) == 2
        assert told["word_weights"] in ("probability", "logit")


def test_windows_and_letters_of_scripts_without_blanks(train: Command) -> None:
    run = train("cnn", "--max-tokens", 64)["run"]
    found = opened(run).predict(["rain again " * 25, "日本 rain"], Explain(words=True))
    assert found.words is not None
    long, short = found.words.texts
    assert len(long) > 30, "words beyond the first window"
    assert "rain" in [each.word for each in short]


def test_a_text_of_one_word(train: Command) -> None:
    found = opened(train("cnn")["run"]).predict(["rain"], Explain(words=True))
    assert found.words is not None
    assert [each.word for each in found.words.texts[0]] == ["rain"]


def test_what_people_and_files_get(run: Run, train: Command) -> None:
    folder = train("cnn")["run"]
    told = run("predict", folder, "--text", TEXTS[0], "--explain", "words")
    assert "\n    words: " in told.out
    assert "what the encoder put of the word" in told.err
    with Path("new.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text"], [TEXTS[0]], ["rain"]])
    asked = ("predict", folder, "--data", "new.csv", "--explain", "words,1")
    assert run(*asked, "--output", "out.csv").code == 0
    with Path("out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    weights = [abs(float(rows[0][f"word_{place}_weight"])) for place in range(1, 6)]
    assert weights == sorted(weights, reverse=True)
    assert rows[0]["word_1"] in TEXTS[0].split()
    assert rows[1]["word_2"] == ""
    assert rows[0]["neighbor_1"]
    assert run(*asked, "--output", "out.jsonl").code == 0
    lines = Path("out.jsonl").read_text(encoding="utf-8").splitlines()
    first = json.loads(lines[0])
    assert [each["word"] for each in first["words"]] == TEXTS[0].split()
    assert len(first["neighbors"]) == 1


@pytest.mark.parametrize("given", ["word", "3,4", "-1", "words,x", "", "2.5"])
def test_what_cannot_be_asked(refusal: Refusal, train: Command, given: str) -> None:
    line = refusal("predict", "latest", "--text", "a", f"--explain={given}")
    assert "--explain takes how many texts" in line


def test_runs_that_cannot_tell(refusal: Refusal, train: Command) -> None:
    run = train("cnn", "--layout", "sentences")["run"]
    line = refusal("predict", run, "--text", "a cat", "--explain", "words")
    assert "one vector per sentence" in line
    assert "--layout tokens" in line


def test_an_old_run_explains_too(tmp_path: Path) -> None:
    shutil.copytree(OLD / "runs" / "logistic", tmp_path / "run")
    predictor = Predictor.load(str(tmp_path / "run"), tmp_path, tmp_path / "cache")
    found = predictor.predict(["I missed my mother's birthday"], Explain(words=True))
    assert found.words is not None
    assert len(found.words.texts[0]) == 5


def test_asking_in_python() -> None:
    assert Explain.of(2) == Explain(2)
    assert Explain.of("words, 2") == Explain(2, True)
    assert not Explain.of(0)
    with pytest.raises(SettingError):
        Explain.of(-1)
