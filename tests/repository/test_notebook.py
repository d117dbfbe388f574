"""The notebook of the examples: valid, without outputs, and its code runs."""

from __future__ import annotations

import csv
import json
from functools import partial
from pathlib import Path

import pytest

import manyheads

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = json.loads((ROOT / "examples" / "first-steps.ipynb").read_text(encoding="utf-8"))
TEXTS = 520
"""Of the example, with a tiny encoder; as many as the notebook speaks of."""


def test_the_notebook_is_in_the_format_and_has_no_outputs() -> None:
    assert (NOTEBOOK["nbformat"], NOTEBOOK["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in NOTEBOOK["cells"]}) == len(NOTEBOOK["cells"])
    for cell in NOTEBOOK["cells"]:
        wanted = {"id", "cell_type", "metadata", "source"}
        if cell["cell_type"] == "code":
            wanted |= {"outputs", "execution_count"}
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
        assert set(cell) == wanted
        assert all(line.endswith("\n") for line in cell["source"][:-1])


def test_the_code_of_the_notebook_runs(
    tiny_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with (ROOT / "examples" / "emotions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[: TEXTS + 1]
    with Path("emotions.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    quick = partial(manyheads.train, encoder=str(tiny_models["bert"]))
    monkeypatch.setattr(manyheads, "train", quick)
    names: dict[str, object] = {}
    for cell in NOTEBOOK["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)  # as a notebook does, in order
    assert len(names["new"]) == 2  # type: ignore[arg-type]
    assert names["again"].name == names["run"].name  # type: ignore[attr-defined]
