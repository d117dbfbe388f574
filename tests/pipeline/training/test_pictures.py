"""Pictures are drawn while a run is scored, and never into a folder that is given up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.main import main
from pipeline.reports import drawing, figures
from pipeline.training import experiment
from tests.support.cli import three_classes


def test_pictures_begin_before_the_scores_and_end_before_the_folder_does(
    tmp_path: Path, tiny_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    class Noted(drawing.Drawing):
        def begin(self, folder: Path, pictures: Sequence[figures.Picture]) -> None:
            super().begin(folder, pictures)
            seen.append([picture.name for picture in pictures])

        def __exit__(self, *error: object) -> None:
            super().__exit__(*error)
            seen.append(self._folder.is_dir())

    def fail(*_: object) -> None:
        seen.append("scores")
        raise RuntimeError("scoring fails")

    monkeypatch.setattr(drawing, "Drawing", Noted)
    monkeypatch.setattr(experiment, "_result", fail)
    data, encoder = three_classes(tmp_path / "data.csv"), tiny_models["bert"]
    folders = ["--cache", str(tmp_path / "cache"), "--runs", str(tmp_path / "runs")]
    with pytest.raises(RuntimeError, match="scoring fails"):
        main(["train", "--data", str(data), "--encoder", str(encoder), *folders])
    names = [figures.CURVES, figures.CALIBRATION, figures.CONFUSION]
    assert seen[:3] == [names, "scores", True]
