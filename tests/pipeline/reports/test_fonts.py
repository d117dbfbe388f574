"""Letters of the pictures: which fonts are asked, and what is said where none has them."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from pipeline.reports import fonts
from pipeline.reports.plots import draw_confusion

REPOSITORY = Path(__file__).resolve().parents[3]


def test_installed_fonts_are_asked_after_matplotlibs_own() -> None:
    assert fonts.families([]) == ["DejaVu Sans"]
    installed = ["SimHei", "Comic Sans MS", "Noto Sans CJK SC"]
    assert fonts.families(installed) == ["DejaVu Sans", "Noto Sans CJK SC", "SimHei"]


@pytest.mark.parametrize(("label", "lines"), [("joy", 0), ("радость", 0), ("\U000132f9", 1)])
def test_letters_without_a_font_are_one_line_and_no_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], label: str, lines: int
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        counts = np.array([[3, 1], [0, 2]])
        draw_confusion(counts, [label, "b"], [label, "b"], "title", tmp_path / "c.png")
    said = capsys.readouterr().err.splitlines()
    assert len(said) == lines
    assert all("c.png shows boxes in place of letters (1)" in line for line in said)
    assert (tmp_path / "c.png").stat().st_size > 1000


def test_other_warnings_stay(tmp_path: Path) -> None:
    class Warner:
        def savefig(self, *_: object, **__: object) -> None:
            warnings.warn("something else", UserWarning, stacklevel=1)

    with pytest.warns(UserWarning, match="something else"):
        fonts.save(Warner(), tmp_path / "x.png", 100)  # type: ignore[arg-type]


def test_nothing_of_matplotlib_is_changed_for_others(tmp_path: Path) -> None:
    code = (
        "import sys, matplotlib as m; before = m.rcParams['font.family'];"
        "from pipeline.tuning import plots; from pipeline.reports.plots import Figure;"
        "f = Figure(); f.text(0, 0, 'a'); plots.save_figure(f, 'f.png');"
        "sys.exit('matplotlib.pyplot' in sys.modules or m.rcParams['font.family'] != before)"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert (tmp_path / "f.png").stat().st_size > 100
