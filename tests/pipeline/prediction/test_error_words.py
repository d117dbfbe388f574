"""``train --explain words``: the errors of a run say which words decided."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.pages.payload import MOST_WORDS
from pipeline.prediction import error_words
from pipeline.runs.files.misclassified import Misclassified, as_lines
from pipeline.runs.reader import read_errors
from tests.support.cli import Command, Refusal, Run, three_classes


def lines(run: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (Path(run) / "errors.jsonl").read_bytes().splitlines()]


@pytest.fixture
def options(tmp_path: Path, encoder: Path) -> tuple[object, ...]:
    data = three_classes(tmp_path / "data.csv")
    lines = data.read_text().splitlines()
    for number in range(1, len(lines), 4):  # wrong labels, so that every head makes errors
        words, label, author = lines[number].split(",")
        lines[number] = f"{words},{'bad' if label == 'good' else 'good'},{author}"
    data.write_text("\n".join(lines) + "\n")
    return ("--data", data, "--encoder", encoder, "--explain", "words")


WORDS = ("--head", "logistic", "--layout", "words")


@pytest.mark.parametrize(
    ("head", "more", "unit"),
    [
        ("logistic", ("--layout", "words"), "logit"),
        ("meanmax", ("--layout", "tokens", "--set", "epochs=1"), "probability"),
    ],
)
def test_errors_have_the_words_that_predict_tells(
    head: str,
    more: tuple[str, ...],
    unit: str,
    options: tuple[object, ...],
    command: Command,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(error_words, "MOST_ERRORS", 1)
    name = command("train", "--head", head, *more, *options)["run"]
    error, *others = lines(name)
    assert all("words" not in each and "word_weights" not in each for each in others)
    told = command("predict", name, "--text", error["text"], "--explain", "words")
    assert told["word_weights"] == unit
    (predicted,) = told["predictions"]
    assert (error["word_weights"], error["predicted"]) == (unit, predicted["label"])
    for one, other in zip(error["words"], predicted["words"], strict=True):
        assert {**one, "weight": 0} == {**other, "weight": 0}
        assert one["weight"] == pytest.approx(other["weight"], abs=1e-4)
    read = read_errors(Path(name))
    assert [each.words is None for each in read] == [False, *(True for _ in others)]

    assert run("report", name).code == 0
    page = (Path(name) / "report.html").read_text()
    script = page[page.index('"words":{') + len('"words":') :]
    (shown,) = json.JSONDecoder().raw_decode(script)[0].values()
    assert len(shown) == min(MOST_WORDS, len(error["words"]))
    assert "the words that decided" in page


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (("--head", "meanmax", "--layout", "sentences", "--set", "epochs=1"), "one vector per"),
        ((*WORDS, "--folds", 3), "with --folds most errors are those of other heads"),
    ],
)
def test_a_run_whose_words_cannot_be_weighed_says_so(
    more: tuple[object, ...], reason: str, options: tuple[object, ...], run: Run
) -> None:
    done = run("train", *more, *options)
    assert done.code == 0, done.err
    assert f"note: errors.jsonl has no words: {reason}" in done.err.replace("the run has ", "")


def test_what_cannot_be_explained_is_refused_before_any_work(
    options: tuple[object, ...], refusal: Refusal
) -> None:
    assert "leave --explain out" in refusal("train", *options, "--head", "auto")
    assert "--explain" in refusal("train", *options[:-1], "letters")
    assert not Path("runs").exists()


def test_errors_without_words_are_written_as_before() -> None:
    error = Misclassified(3, "one", "a", "b", 0.5, ())
    (line,) = as_lines([error]).splitlines()
    names = ["row", "text", "label", "predicted", "confidence", "neighbors"]
    assert list(json.loads(line)) == names
