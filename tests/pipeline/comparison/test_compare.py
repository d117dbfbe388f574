"""``manyheads compare`` as a user types it, on runs of the first version and a trained one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.runs.folder import METRICS, PROBABILITIES
from tests.support.cli import REPOSITORY, Command, Refusal, Run, three_classes
from tests.support.cli import run_name as name

OLD = REPOSITORY / "tests" / "old" / "runs"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return three_classes(tmp_path / "data.csv")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return Path(shutil.copytree(OLD, tmp_path / "runs"))


def test_old_runs_are_compared(run: Run, command: Command, runs: Path) -> None:
    (group,) = command("compare", "cnn", "logistic")["groups"]
    assert [each["run"] for each in group["runs"]] == ["logistic", "cnn"]
    assert [each["bytes_per_text"] for each in group["runs"]] == [768, None]
    (pair,) = group["pairs"]
    assert (pair["first_only"], pair["second_only"], pair["beyond_chance"]) == (1, 0, False)
    (text,) = group["disagreements"]
    assert (text["right"], text["label"]) == (["logistic"], "sadness")
    assert text["text"].startswith("Gave away our cot")
    out = run("compare").out
    assert "3 runs on texts.csv, 4 validation texts, 4 test texts" in out
    assert "of its parts" in out
    blend = next(
        each for each in command("compare")["groups"][0]["runs"] if each["head"] == "blend"
    )
    assert blend["parameters"] == 1155 + 3091


def test_a_run_without_probabilities_stands_apart(run: Run, runs: Path) -> None:
    (runs / "cnn" / PROBABILITIES).unlink()
    out = run("compare", "cnn", "logistic", "blend").out
    assert "2 runs on" in out
    assert f"cnn has no {PROBABILITIES}: it was trained before" in out


def test_runs_on_other_sides_stand_in_other_groups(
    train: Command, command: Command, run: Run, runs: Path, tmp_path: Path
) -> None:
    """A new run says what its vectors take."""
    one, two = train("logistic"), train("logistic", "--split-seed", 1)
    three = train("mlp", "--split-of", name(one))
    given = (name(one), name(two), name(three), "cnn")
    out = tmp_path / "differ.jsonl"
    result = command("compare", *given, "--out", out)
    assert [len(group["runs"]) for group in result["groups"]] == [2, 1, 1]
    first = result["groups"][0]
    assert [each["run"] for each in first["runs"]].count(name(three)) == 1
    assert {each["bytes_per_text"] for each in first["runs"]} == {one["bytes_per_text"]}
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert rows == [
        {"group": number, **row}
        for number, group in enumerate(result["groups"], 1)
        for row in group["disagreements"]
    ]
    text = run("compare", *given).out
    assert "so they stand in 3 groups; scores of different groups cannot be compared" in text
    assert "One run: train another head on the same data to compare." in text
    # Without names: the runs on the newest data alone.
    newest = command("compare")["groups"]
    assert {each["run"] for group in newest for each in group["runs"]} == set(given[:3])


def test_what_cannot_be_compared_is_refused(refusal: Refusal, runs: Path) -> None:
    assert "compare takes two runs or more; got cnn alone" in refusal("compare", "cnn")
    assert "the run cnn is named twice" in refusal("compare", "cnn", "blend", runs / "cnn")
    assert "no run 'nix'" in refusal("compare", "cnn", "nix")
    assert "--examples takes 0" in refusal("compare", "--examples", "-1")
    assert "there is no folder" in refusal("compare", "--out", "none/x.jsonl")
    assert "choose one of: best, all" in refusal("compare", "--pairs", "some")
    (runs / "cnn" / "errors.jsonl").write_text("[]\n")
    assert "errors.jsonl is damaged" in refusal("compare", "cnn", "logistic")
    assert "no finished run in none" in refusal("compare", "--runs", "none")


def test_a_damaged_run_of_the_newest_data_is_left_out(run: Run, runs: Path) -> None:
    (runs / "cnn" / METRICS).write_text("{}")
    done = run("compare")
    assert (done.code, "2 runs on" in done.out) == (0, True)
    assert "1 damaged in runs left out" in done.err


def test_neither_torch_nor_pandas_is_imported(runs: Path) -> None:
    code = (
        "import sys; from pipeline.cli.main import main; "
        "assert main(['compare', '--json']) == 0; "
        "assert not {'torch', 'pandas'} & {*sys.modules}"
    )
    path = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=path)
