"""Pictures in a process of their own, and what happens where that fails."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from pipeline.evaluation.evaluation import ClassNames, Evaluation
from pipeline.reports import figures
from pipeline.reports.drawing import Drawing
from pipeline.reports.figures import Picture

pytestmark = pytest.mark.usefixtures("real_pictures")


@pytest.fixture
def pictures() -> list[Picture]:
    shares = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], np.float32)
    test = Evaluation("test", np.arange(3), np.array([0, 1, 1]), shares, shares)
    return figures.test_pictures(test, ClassNames(("a", "b$"), ()), [1.0], "a title")


def elsewhere() -> Drawing:
    """Return a drawing by a process, as where the drawing library is not imported yet."""
    return Drawing("no.such.library")


def test_a_process_draws_what_is_drawn_here(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], pictures: list[Picture]
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (tmp_path / "matplotlib.py").write_text("raise RuntimeError('of the working folder')")
    wrong = Picture(figures.CURVES, "", {})
    with elsewhere() as own:
        assert own._process is not None
        own.begin(tmp_path, [*pictures, wrong])
        own.finish()
    notes = capfd.readouterr().err.splitlines()
    assert [note.partition(" (")[0] for note in notes] == [
        "note: curves.png cannot be drawn"
    ], notes
    figures.draw(here, pictures)
    for name in (figures.CALIBRATION, figures.CONFUSION):
        assert (here / name).read_bytes() == (tmp_path / name).read_bytes()


def test_pictures_are_drawn_before_they_are_waited_for(
    tmp_path: Path, pictures: list[Picture]
) -> None:
    with elsewhere() as own:
        own.begin(tmp_path, pictures)
        late = time.monotonic() + 60
        while not all((tmp_path / each.name).exists() for each in pictures):
            assert time.monotonic() < late, "nothing was drawn"
            time.sleep(0.05)
        own.finish()


@pytest.mark.parametrize("program", ["", "false", "/no/such/program"])
def test_where_no_process_can_draw_the_pictures_are_drawn_here(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pictures: list[Picture],
    program: str,
) -> None:
    monkeypatch.setattr(sys, "executable", program)
    with elsewhere() as own:
        own.begin(tmp_path, pictures)
        own.finish()
    assert (tmp_path / figures.CONFUSION).stat().st_size > 1000


def test_a_process_that_draws_nothing_ends_with_its_block() -> None:
    with elsewhere() as own:
        process = own._process
    assert process is not None
    assert process.returncode is not None


def test_nothing_is_drawn_once_the_block_is_left(
    tmp_path: Path, pictures: list[Picture], monkeypatch: pytest.MonkeyPatch
) -> None:
    with suppress(KeyboardInterrupt), elsewhere() as own:
        process = own._process
        assert process is not None
        real = process.communicate

        def interrupted(timeout: float) -> None:
            late = time.monotonic() + 60
            while len(list(tmp_path.iterdir())) < len(pictures):
                assert time.monotonic() < late, "nothing was drawn"
                with suppress(subprocess.TimeoutExpired):
                    real(timeout=0.01)
            monkeypatch.undo()
            raise KeyboardInterrupt

        monkeypatch.setattr(process, "communicate", interrupted)
        own.begin(tmp_path, pictures * 10)
        own.finish()
    for path in tmp_path.iterdir():
        path.unlink()
    time.sleep(0.5)
    assert list(tmp_path.iterdir()) == []


def test_where_the_library_is_at_hand_there_is_no_process() -> None:
    with Drawing() as own:
        assert own._process is None
