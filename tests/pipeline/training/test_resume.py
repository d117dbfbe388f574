"""Trainings that a killed experiment had finished are taken up by the next one."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from features.errors import CacheError, DivergedError
from pipeline.training import resume, trainings
from tests.support.cli import run_command

QUICK = ("--head", "cnn", "--set", "epochs=2", "filters=4", "kernels=1,2", "batch_size=16")
Run = Callable[..., dict[str, Any]]
UNFINISHED = Path("runs", ".unfinished")


@pytest.fixture
def run(
    tiny_models: dict[str, Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Run:
    data = tmp_path / "data.csv"
    words = ("cat sat", "dogs night", "rain red")
    rows = [f"{words[i % 3]} {words[i * 7 % 5 % 3]} {i},{'abc'[i % 3]}" for i in range(60)]
    data.write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")

    def start(*arguments: object, code: int = 0) -> dict[str, Any]:
        common = ("train", "--data", data, "--encoder", tiny_models["bert"], *QUICK)
        done = run_command(capsys, *common, *arguments, "--json")
        assert done.code == code, done.err
        return done.json if code == 0 else {}

    return start


@pytest.fixture
def seeds_trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seeds of all trainings that began; one of seed 2 fails."""
    begun: list[int] = []
    fit = trainings.fit

    def noted(*arguments: Any) -> Any:
        begun.append(arguments[7])
        if arguments[7] == 2 and begun.count(2) == 1:
            raise DivergedError("as if killed")
        return fit(*arguments)

    monkeypatch.setattr(trainings, "fit", noted)
    return begun


def scores(result: dict[str, Any]) -> list[Any]:
    kept = ("fold", "seed", "validation", "test", "temperature", "best_epoch", "best")
    return [{name: trial[name] for name in kept} for trial in result["trainings"]]


def test_the_same_command_goes_on_and_gives_the_same(
    run: Run, seeds_trained: list[int]
) -> None:
    run("--seeds", 3, code=1)
    assert seeds_trained == [0, 1, 2]
    assert len(list(UNFINISHED.iterdir())) == 2
    resumed = run("--seeds", 3)
    assert seeds_trained == [0, 1, 2, 2]
    assert not UNFINISHED.exists()
    whole = run("--seeds", 3, "--runs", "elsewhere")
    assert seeds_trained == [0, 1, 2, 2, 0, 1, 2]
    assert scores(resumed) == scores(whole)
    assert resumed["calibration"] == whole["calibration"]
    one, two = (Path(each["run"], "history.jsonl") for each in (resumed, whole))
    assert drop_seconds(one) == drop_seconds(two)


def drop_seconds(history: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in history.read_text(encoding="utf-8").splitlines()]
    return [{name: line[name] for name in line if name != "seconds"} for line in lines]


def test_it_says_what_it_took_up(
    run: Run, seeds_trained: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("--seeds", 3, code=1)
    said: list[str] = []
    monkeypatch.setattr(trainings, "print_note", said.append)
    run("--seeds", 3)
    assert [line.endswith("from a run that did not finish") for line in said] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    "other",
    [
        ("--set", "filters=5", "epochs=2", "kernels=1,2"),
        ("--split-seed", 1),
        ("--dtype", "float32"),
        ("--layers", 2),
    ],
    ids=lambda other: other[0],
)
def test_another_experiment_takes_up_nothing(
    run: Run, seeds_trained: list[int], other: tuple[object, ...]
) -> None:
    run("--seeds", 3, code=1)
    run("--seeds", 2, *other)
    assert seeds_trained == [0, 1, 2, 0, 1]
    assert len(list(UNFINISHED.iterdir())) == 2, "those of the first experiment stay"


def test_more_seeds_take_up_fewer(run: Run, seeds_trained: list[int]) -> None:
    run("--seeds", 3, code=1)
    run("--seeds", 4)
    assert seeds_trained == [0, 1, 2, 2, 3]


def test_fewer_seeds_leave_what_a_longer_run_is_to_take_up(
    run: Run, seeds_trained: list[int]
) -> None:
    run("--seeds", 3, code=1)
    run("--seeds", 2)
    assert seeds_trained == [0, 1, 2]
    run("--seeds", 3)
    assert seeds_trained == [0, 1, 2, 2]
    assert not UNFINISHED.exists()


def test_changed_code_or_processor_takes_up_nothing(
    run: Run, seeds_trained: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("--seeds", 3, code=1)
    monkeypatch.setattr(resume, "_circumstances", lambda: ["another"])
    run("--seeds", 2)
    assert seeds_trained == [0, 1, 2, 0, 1]


@pytest.mark.parametrize("file", ["head.json", "head.safetensors", "training"])
def test_a_damaged_training_is_learned_again(
    run: Run, seeds_trained: list[int], file: str
) -> None:
    run("--seeds", 3, code=1)
    left = shutil.copytree("runs", "left")
    for damage in ("missing", "empty", "cut", "other", "flipped"):
        shutil.rmtree("runs")
        shutil.copytree(left, "runs")
        for folder in UNFINISHED.iterdir():
            path = folder / file
            if damage == "missing":
                path.unlink()
            else:
                data, half = path.read_bytes(), path.stat().st_size // 2
                flipped = data[:half] + bytes([data[half] ^ 1]) + data[half + 1 :]
                written = {"empty": b"", "cut": data[:half], "other": b"{}", "flipped": flipped}
                path.write_bytes(written[damage])
        seeds_trained.clear()
        run("--seeds", 2)
        assert seeds_trained == [0, 1], damage


def test_a_training_that_another_experiment_removes_just_now_is_learned_again(
    run: Run, seeds_trained: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("--seeds", 3, code=1)
    load = resume.checkpoint.load

    def removed(place: Path) -> Any:
        found = load(place)
        shutil.rmtree(place)
        return found

    monkeypatch.setattr(resume.checkpoint, "load", removed)
    run("--seeds", 2)
    assert seeds_trained == [0, 1, 2, 0, 1]


def test_where_nothing_can_be_kept_training_goes_on(run: Run, seeds_trained: list[int]) -> None:
    UNFINISHED.parent.mkdir()
    UNFINISHED.write_text("a file in the way", encoding="utf-8")
    assert len(run("--seeds", 2)["trainings"]) == 2


@pytest.mark.parametrize("what", ["weights", "values"])
def test_a_full_disk_costs_neither_the_run_nor_its_room(
    run: Run, seeds_trained: list[int], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def full(*arguments: object) -> bytes:
        if what == "values":
            raise OSError(errno.ENOSPC, "No space left on device")
        Path(str(arguments[1]), "head.safetensors").write_bytes(b"x" * 1000)
        raise CacheError("the head cannot be written")

    monkeypatch.setattr(resume.checkpoint if what == "weights" else resume, "save", full)
    run("--seeds", 3, code=1)
    assert list(UNFINISHED.iterdir()) == []
    assert len(run("--seeds", 2)["trainings"]) == 2
    assert seeds_trained == [0, 1, 2, 0, 1]


def test_folds_go_on_too_and_leftovers_go(run: Run, seeds_trained: list[int]) -> None:
    leftover = UNFINISHED / ".tmp-training-0a1b2c"
    leftover.mkdir(parents=True)
    run("--folds", 2, "--seeds", 3, code=1)
    assert not leftover.exists()
    assert seeds_trained == [0, 1, 2]
    resumed = run("--folds", 2, "--seeds", 3)
    assert seeds_trained == [0, 1, 2, 2, 0, 1, 2]
    assert scores(resumed) == scores(run("--folds", 2, "--seeds", 3, "--runs", "elsewhere"))


def test_old_trainings_that_nobody_took_up_go(run: Run, seeds_trained: list[int]) -> None:
    run("--seeds", 3, code=1)
    first, second = sorted(UNFINISHED.iterdir())
    old = time.time() - resume.KEPT_SECONDS - 60
    os.utime(first, (old, old))
    run("--split-seed", 1)
    assert list(UNFINISHED.iterdir()) == [second]
    shutil.rmtree(second)
    run("--split-seed", 1)
    assert not UNFINISHED.exists()


@pytest.mark.parametrize(
    "file", ["features/api.py", "heads/deep/er/new.py", "pipeline/runs/folder.py"]
)
def test_a_change_of_any_code_is_seen(tmp_path: Path, file: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text("a = 1")
    before = resume.code_digest(tmp_path)
    path.write_text("a = 2")
    assert resume.code_digest(tmp_path) != before
