"""Processes beside a search: they share the cores, and none outlives it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch

from pipeline.search.helpers import helping
from tests.support.cli import Command, Refusal, three_classes

ENDLESS = """
import multiprocessing, os, signal, time
from functools import partial
from pipeline.search.helpers import helping
if __name__ == "__main__":
    with helping(partial(time.sleep, 60), 1, 1):
        (child,) = multiprocessing.active_children()
        print(child.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")  # one that nobody waited for is dead too
    return not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_helpers_do_their_part_and_one_that_fails_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = torch.get_num_threads()
    with helping(partial(Path.mkdir, tmp_path / "made"), 2, 1):  # the second one finds it made
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == usual
    assert (tmp_path / "made").is_dir()
    assert capsys.readouterr().err.count("a process of the search ended early") == 1


def test_no_helper_outlives_a_killed_search(tmp_path: Path) -> None:
    script = tmp_path / "endless.py"
    script.write_text(ENDLESS)
    done = subprocess.run([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert done.returncode == -9
    end = time.monotonic() + 30
    while alive(int(done.stdout)):
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_search_with_two_processes_does_each_trial_once(
    tmp_path: Path, encoder: Path, command: Command, refusal: Refusal
) -> None:
    data = three_classes(tmp_path / "data.csv")
    options = ("search", "--data", data, "--encoder", encoder, "--heads", "logistic", "mlp")
    assert "--jobs takes 1 to 256" in refusal(*options, "--jobs", 0)
    found = command(*options, "--trials", 3, "--repeats", 1, "--jobs", 2)
    shown = [str((each["head"], each["layout"], each["settings"])) for each in found["trials"]]
    assert len(shown) == len(set(shown)) >= 3 + 4
    assert found["test_looks"] == 1
