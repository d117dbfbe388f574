"""``manyheads search`` end to end, with a tiny encoder and quick heads."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

from pipeline.runs.reader import read_held_out, read_metrics
from pipeline.search.candidate import Job, Outcome
from tests.support.cli import Command, Refusal, Run, three_classes

SPACE = """
[study]
trials = 4

[logistic]
tolerance = 1e-2
standardize = [false, true]

[mlp]
epochs = 2
dense = ["8", "16"]
learning_rate = { low = 1e-3, high = 1e-1, log = true }
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    Path("space.toml").write_text(SPACE)
    return three_classes(tmp_path / "data.csv")


@pytest.fixture
def options(data: Path, encoder: Path) -> tuple[object, ...]:
    return ("search", "--data", data, "--encoder", encoder, "--space", "space.toml")


def rows(study: str) -> list[dict[str, str]]:
    with (Path(study) / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_search_names_a_winner_and_looks_at_test_once(
    options: tuple[object, ...], command: Command, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = command(*options, "--repeats", 2)
    heads = [trial["head"] for trial in found["trials"]]
    assert heads[:4] == ["majority", "tfidf_logistic", "logistic", "logistic"]
    assert [trial["layout"] for trial in found["trials"][2:4]] == ["pooled", "pooled,words"]
    assert len(heads) == 2 + 3 + 4
    winner, *others = found["finalists"]
    assert all(one["difference"] <= 0 for one in others)
    for one in found["finalists"]:
        assert len(one["seeds"]) == (2 if one["candidate"]["head"] == "mlp" else 1)

    # An ordinary run, on the sides and with the settings of the study.
    folder = Path(found["winner"]["run"])
    result = read_metrics(folder)
    assert result.head == winner["candidate"]["head"]
    assert any("Chosen by study-data-" in note for note in result.notes)
    assert found["command"].startswith(f"manyheads train --head {result.head}")
    assert len(read_held_out(folder).folds) == 1
    assert run("runs").out.count("\n") == 2  # the study is no run
    assert run("show", folder.name).code == 0
    kinds = [row["kind"] for row in rows(found["study"])]
    assert kinds.count("simple") == 5
    assert kinds.count("drawn") == 4

    # The same command has nothing left to do: the same answer, without a training.
    monkeypatch.setattr("pipeline.search.trials.train", None)
    again = command(*options, "--repeats", 2)
    assert again == found
    assert again["test_looks"] == 1
    text = run(*options, "--repeats", 2).out
    assert "test, looked at once" in text
    assert "against the winner" in text

    # For compare, the study stands for that run, and the other run is on the same sides.
    study = Path(found["study"])
    other = command("train", "--data", options[2], *options[3:5], "--head", "logistic")
    (group,) = command("compare", study.name, Path(other["run"]).name)["groups"]
    notes = {each["run"]: each["chosen"] for each in group["runs"]}
    assert notes.pop(folder.name).startswith(f"Chosen by {study.name} among 9 trials")
    assert [*notes.values()] == [None]
    assert f": Chosen by {study.name}" in run("compare", study, other["run"]).out
    assert "is named twice" in run("compare", study.name, folder.name).err

    versions = {"study.json": 1, "result.json": 2}
    for name, version in versions.items():
        assert json.loads((study / name).read_text())["version"] == version
    name = study.name.removeprefix("study-")
    assert "study with other seed" in run(*options, "--seed", 1, "--name", name).err
    (study / "result.json").write_text("{")
    assert "damaged" in run(*options, "--repeats", 2).err


def test_inner_folds_choose_by_every_text_but_those_of_test(
    options: tuple[object, ...], command: Command, run: Run, refusal: Refusal
) -> None:
    from pipeline.search.records.record import read_record

    assert "--folds takes 2 to 50" in refusal(*options, "--folds", 1)
    found = command(*options, "--folds", 3, "--trials", 1, "--repeats", 1, "--heads", "mlp")
    held_out = read_held_out(Path(found["winner"]["run"]))
    sides = held_out.folds[0]
    record = read_record(Path(found["study"]))
    lines = Path(str(options[2])).read_text().splitlines()
    assert record.texts == len(lines) - 1 - len(sides.test.rows)
    assert record.description.decided["folds"] == 3
    assert "--folds=3" in record.description.arguments
    for trial in record.trials:
        (right,) = trial.outcome.answers(record.texts)
        assert right.mean() == trial.outcome.accuracy
    assert record.finalists[0].search == found["finalists"][0]["search"]
    again = run(*options, "--folds", 3, "--trials", 1, "--repeats", 1, "--heads", "mlp")
    assert "in 3 inner folds" in again.out
    other = command(*options, "--trials", 1, "--repeats", 1, "--heads", "mlp")
    assert other["study"] != found["study"]


def test_an_interrupted_search_says_how_it_goes_on_and_is_joined(
    options: tuple[object, ...], run: Run, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.search import trials

    real, calls = trials.train, []

    def interrupted(materials: object, job: Job, *more: object) -> Outcome:
        calls.append(job)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return real(materials, job, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(trials, "train", interrupted)
    stopped = run(*options, "--name", "mine")
    assert stopped.code == 130
    assert "keeps 5 finished trials: the same command goes on" in stopped.err
    assert len(rows("runs/study-mine")) == 5

    assert "has named no winner yet" in run("compare", "mine", "latest").err
    assert "leave --trials out" in run("search", "--join", "mine", "--trials", 9).err
    joined = run("search", "--join", "mine")
    assert joined.code == 0, joined.err
    assert "helped with runs/study-mine" in joined.out
    assert not (Path("runs/study-mine") / "result.json").exists()
    found = command(*options, "--name", "mine")
    assert len(calls) == len({job.key for job in calls}) + 1  # the interrupted one alone
    assert Path(found["winner"]["run"]).is_dir()


def test_wrong_input_is_refused_before_any_work(
    options: tuple[object, ...], refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "cnn" in refusal(*options[:5], "--heads", "cnm")
    assert "no study 'none'" in refusal("search", "--join", "none")
    assert "layout" in refusal(*options, "--heads", "mlp", "--layout", "tokens")
    assert "--budget" in refusal(*options, "--budget", "soon")
    assert not Path("runs").exists()
    assert not Path("cache").exists()
    monkeypatch.setitem(sys.modules, "optuna", None)
    line = refusal(*options)
    assert 'run python -m pip install "manyheads[search]"' in line


def test_train_with_head_auto_is_a_short_search(
    data: Path,
    encoder: Path,
    command: Command,
    refusal: Refusal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipeline.search.config.AUTO_BUDGET", 1e-3)
    options = ("train", "--data", data, "--encoder", encoder, "--head", "auto")
    assert "leave --folds out" in refusal(*options, "--folds", 3)
    found = command(*options)
    assert found["ended"] == "the time is over"
    assert [trial["head"] for trial in found["trials"]][-1] == "logistic"
    assert found["winner"]["head"] == "logistic"
