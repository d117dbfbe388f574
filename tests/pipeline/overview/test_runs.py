"""``manyheads runs`` and ``show``, and how a run is named."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from pipeline.overview.run_choice import choose_run
from pipeline.overview.run_facts import age_text
from pipeline.runs.folder import METRICS
from tests.support.cli import REPOSITORY, Command, Refusal, Run

OLD = REPOSITORY / "tests" / "old" / "runs"


def change(file: Path, **values: object) -> None:
    content = json.loads(file.read_text(encoding="utf-8"))
    for name, value in values.items():
        part, _, key = name.partition("__")
        if key:
            content[part][key] = value
        else:
            content[part] = value
    file.write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Runs of the first version, the newest on other data: logistic, blend, cnn."""
    folder = tmp_path / "runs"
    shutil.copytree(OLD, folder)
    change(folder / "cnn" / "config.json", data__data="/elsewhere/mails.csv")
    for place, name in enumerate(("logistic", "blend", "cnn")):
        os.utime(folder / name / METRICS, (1e9 + place, 1e9 + place))
    return folder


def names(result: dict) -> list[str]:  # type: ignore[type-arg]
    return [run["name"] for run in result["runs"]]


def test_old_runs_are_listed_with_data_head_encoder_and_scores(run: Run, runs: Path) -> None:
    lines = run("runs").out.splitlines()
    assert lines[0].split()[:4] == ["run", "data", "head", "encoder"]
    assert [line.split()[:6] for line in lines[1:]] == [
        ["cnn", "mails.csv", "cnn", "all-MiniLM-L6-v2", "-", "too"],
        ["blend", "texts.csv", "blend", "all-MiniLM-L6-v2", "-", "too"],
        ["logistic", "texts.csv", "logistic", "all-MiniLM-L6-v2", "-", "too"],
    ]
    assert "too few texts (4) for a score" in lines[1], "as in show and report.txt"
    assert lines[1].endswith("days")


def test_the_list_is_sorted_and_filtered(
    command: Command, refusal: Refusal, runs: Path
) -> None:
    assert names(command("runs", "--sort", "name")) == ["blend", "cnn", "logistic"]
    assert names(command("runs", "--sort", "test"))[-1] == "cnn"
    assert names(command("runs", "--data", "mails.csv")) == ["cnn"]
    assert names(command("runs", "--data", "/elsewhere/mails.csv")) == ["cnn"]
    assert names(command("runs", "--head", "blend")) == ["blend"]
    assert names(command("runs", "--head", "lstm")) == []
    assert "got 'tset' (did you mean test?)" in refusal("runs", "--sort", "tset")
    assert "got 'logistik' (did you mean logistic?)" in refusal("runs", "--head", "logistik")


def test_names_tell_the_time(command: Command, runs: Path) -> None:
    (runs / "cnn").rename(runs / "20260131-120000-cnn-1f2e3d")
    (listed,) = command("runs", "--head", "cnn")["runs"]
    assert listed["began"] == "2026-01-31T12:00:00+00:00"
    assert [age_text(s) for s in (59, 61, 3700, 49 * 3600)] == [
        "59 s",
        "1 min",
        "1 h",
        "2 days",
    ]


def test_what_is_damaged_or_did_not_finish_is_named(
    run: Run, command: Command, runs: Path
) -> None:
    (runs / "cnn" / METRICS).write_text('{"version": 2}')
    (runs / "one-failed").mkdir()
    (runs / "one-failed" / "failure.json").write_text("{}")
    (runs / "half").mkdir()
    (runs / "half" / "config.json").write_text("{}")
    (runs / "notes").mkdir()
    (runs / ".tmp-x-123456").mkdir()
    out = run("runs")
    assert out.code == 0
    assert out.out.splitlines()[-2:] == [
        "did not finish: half, one-failed",
        "damaged, see manyheads show NAME: cnn",
    ]
    result = command("runs")
    assert names(result) == ["blend", "logistic"]
    assert "metrics.json is damaged" in result["damaged"]["cnn"]
    assert "metrics.json is damaged" in run("show", "cnn").refusal


def test_without_runs_one_line_says_so(run: Run) -> None:
    out = run("runs")
    assert (out.code, out.out) == (0, "no finished run in runs\n")


def test_many_runs_are_quick(command: Command, tmp_path: Path) -> None:
    for number in range(100):
        place = tmp_path / "runs" / f"run-{number}"
        place.mkdir(parents=True)
        for name in (METRICS, "config.json"):
            (place / name).symlink_to(OLD / "logistic" / name)
    start = time.perf_counter()
    assert len(command("runs")["runs"]) == 100
    assert time.perf_counter() - start < 5  # 0.1 s; a type built for every file takes seconds


def test_show_says_what_a_run_is_and_what_to_do_next(
    run: Run, command: Command, runs: Path
) -> None:
    text = run("show", "cnn").out
    assert text.startswith("cnn: a cnn head on tokens vectors, ")
    assert "settings: epochs=2 kernels=2 filters=4\n" in text
    shown = command("show", "cnn")
    assert shown["settings"] == {"epochs": "2", "kernels": "2", "filters": "4"}
    assert set(shown["files"]) == {path.name for path in (OLD / "cnn").iterdir()}
    assert "written by another version" not in shown["files"].values()
    (runs / "cnn" / "notes.txt").write_text("")
    assert command("show", "cnn")["files"]["notes.txt"] == "written by another version"
    assert len(text.splitlines()) <= 30
    verbs = [line.split()[1] for line in shown["commands"]]
    assert verbs == ["predict", "report", "export-model", "train", "blend"]
    assert "a blend of " in run("show", "blend").out
    assert command("show", "blend")["settings"] == {}
    moved = runs.rename(runs.with_name("other"))
    (first, *_) = command("show", "--runs", moved, "cnn")["commands"]
    assert first == f'manyheads predict cnn --text "..." --runs {moved}'


def test_latest_says_its_data_where_others_have_runs(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert choose_run("latest", runs).name == "cnn"
    assert "the latest run is cnn, trained on mails.csv" in capsys.readouterr().err
    shutil.rmtree(runs / "cnn")
    assert choose_run("latest", runs).name == "blend"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "arguments",
    [("show", "logi"), ("show", "--runs", "runs", "logi"), ("show", "--run", "logistic")],
)
def test_a_run_is_named_alike_before_and_after_options(
    command: Command, runs: Path, arguments: tuple[str, ...]
) -> None:
    assert command(*arguments)["name"] == "logistic"


def test_names_that_fit_no_run_or_several(refusal: Refusal, runs: Path) -> None:
    shutil.copytree(runs / "cnn", runs / "cnn-2")
    assert refusal("show", "cn").endswith(
        "several runs begin with 'cn': cnn, cnn-2; write one in full"
    )
    assert "no run 'lgistic' (did you mean logistic?)" in refusal("show", "lgistic")
    for arguments in (("predict", "new.csv", "--text", "x"), ("export-model", "new.csv")):
        more = ("--out", "model") if arguments[0] == "export-model" else ()
        assert "named with --data new.csv" in refusal(*arguments, *more)
