"""Run folders: whole or failed with a reason, never in between; found again by name."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.errors import CacheError, CorpusError, DivergedError
from features.storage import files
from heads.persistence import checkpoint
from pipeline.models.blend_folder import file_digest
from pipeline.runs import folder
from pipeline.runs.files.json_format import read_object, write_json
from pipeline.runs.files.training_texts import read_training
from pipeline.runs.folder import METRICS, check_runs, find_run, new_run, run_name
from pipeline.runs.reader import read_held_out

REPOSITORY = Path(__file__).resolve().parents[3]


def finish(runs: Path, name: str) -> Path:
    with new_run(runs, name) as run:
        write_json(run.folder / METRICS, {})
    return run.final


def test_a_name_says_when_what_and_which() -> None:
    now = datetime(2026, 11, 21, 8, 30, 5, tzinfo=UTC)
    name = run_name("lstm", {"seed": 1}, now)
    assert name.startswith("20261121-083005-lstm-")
    assert len(name) == len("20261121-083005-lstm-123456")
    assert name != run_name("lstm", {"seed": 2}, now)


def test_a_run_appears_when_it_is_complete(tmp_path: Path) -> None:
    with new_run(tmp_path, "one") as run:
        write_json(run.folder / METRICS, {})
        assert not (tmp_path / "one").exists()
    assert run.final == tmp_path / "one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one"]


def test_equal_names_do_not_meet(tmp_path: Path) -> None:
    assert [finish(tmp_path, "one").name for _ in range(3)] == ["one", "one-2", "one-3"]


def test_a_failed_run_says_why(tmp_path: Path) -> None:
    with pytest.raises(DivergedError), new_run(tmp_path, "one"):
        raise DivergedError("the loss is NaN")
    failure = json.loads((tmp_path / "one-failed" / "failure.json").read_text())
    assert failure == {"error": "DivergedError", "message": "the loss is NaN"}
    with pytest.raises(CacheError, match=r"failed \(the loss is NaN\)"):
        find_run("one-failed", tmp_path)
    with pytest.raises(ZeroDivisionError), new_run(tmp_path, "two"):
        1 / 0  # noqa: B018
    assert (
        "Traceback"
        in json.loads((tmp_path / "two-failed" / "failure.json").read_text())["traceback"]
    )


def test_input_that_is_refused_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(CorpusError), new_run(tmp_path, "one"):
        raise CorpusError("row 3 is empty")
    assert not list(tmp_path.iterdir())


def test_a_folder_of_runs_is_checked_and_not_made(tmp_path: Path) -> None:
    check_runs(tmp_path / "new" / "runs")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "runs"):
        with pytest.raises(CacheError, match=r"Not a directory.*choose another with --runs"):
            check_runs(place)


def test_a_disk_without_room_for_the_reason_hides_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, value: object) -> None:
        path.write_text("{")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(folder, "write_json", full)
    with pytest.raises(DivergedError, match="NaN"), new_run(tmp_path, "one"):
        raise DivergedError("the loss is NaN")
    assert not list(tmp_path.iterdir())


def test_names_that_are_no_utf8_are_written_and_read_back(tmp_path: Path) -> None:
    value = {"data": os.fsdecode(b"caf\xe9.csv"), "label": "\u00e9t\u00e9"}
    write_json(tmp_path / "a.json", value)
    assert read_object(tmp_path / "a.json", "") == value
    assert "\u00e9t\u00e9" in (tmp_path / "a.json").read_text(encoding="utf-8")


KILLED = """
import sys, time
from pathlib import Path
from pipeline.runs.folder import new_run
with new_run(Path(sys.argv[1]), "one") as run:
    (run.folder / "inner").mkdir()
    (run.folder / "inner" / "file").write_text("half")
    print(run.folder, flush=True)
    time.sleep(60)
"""


def test_what_a_killed_run_left_is_removed_and_what_runs_is_not(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    folders, processes = [], []
    for _ in range(2):
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        processes.append(process)
        folders.append(Path(process.stdout.readline().strip()))
    assert all(folder.is_dir() for folder in folders)
    try:
        processes[0].kill()
        processes[0].wait()
        finish(tmp_path, "two")
        assert not folders[0].exists()
        assert (folders[1] / "inner" / "file").read_text() == "half"
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    with new_run(tmp_path, "three") as run:
        finish(tmp_path, "four")
        assert run.folder.is_dir()
        assert not folders[1].exists()


def test_a_folder_swept_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    lock = files._lock

    def late(descriptor: int, wait: bool = False) -> bool | None:
        if wait and not taken:
            taken.extend(tmp_path.iterdir())
            taken[0].rmdir()
        return lock(descriptor, wait)

    monkeypatch.setattr(files, "_lock", late)
    run = finish(tmp_path, "one")
    assert len(taken) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
    assert (run / METRICS).is_file()


def test_finding_runs(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    with pytest.raises(CacheError, match="no finished run"):
        find_run("latest", runs)
    with pytest.raises(CacheError, match=r"no run 'x'.*holds no runs"):
        find_run("x", runs)
    one, two = finish(runs, "one"), finish(runs, "two")
    assert find_run("latest", runs) == two
    assert find_run("one", runs) == one
    assert find_run(str(one), Path("elsewhere")) == one
    with pytest.raises(CacheError, match=r"no run 'three'; the runs in .* are one, two"):
        find_run("three", runs)


@pytest.mark.parametrize("reason", ["[]", "{}", '"a"', "null"])
def test_a_failed_run_without_its_reason_is_one_line_too(tmp_path: Path, reason: str) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "failure.json").write_text(reason)
    with pytest.raises(CacheError, match="one failed; train it again"):
        find_run("one", tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_named_pipes_in_a_run_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("head.json", "blend.json", "probabilities.parquet", "training.parquet"):
        (tmp_path / name).symlink_to("pipe")
    for read in (
        lambda: checkpoint.load(tmp_path),
        lambda: read_object(tmp_path / "blend.json", ""),
        lambda: file_digest(tmp_path / "head.json"),
        lambda: read_held_out(tmp_path),
        lambda: read_training(tmp_path / "training.parquet"),
    ):
        with pytest.raises(CacheError, match="it is no regular file"):
            read()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match=r"cannot be written.*--runs"):
        finish(tmp_path / "file", "one")
