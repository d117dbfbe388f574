"""``--device`` as a user would type it: refused before any work, used, and recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from heads import registry
from heads.training import device_vectors
from pipeline.runs.reader import read_config
from tests.support.cli import QUICK, Refusal, Run

COMMANDS = (
    ("train", "--head", "cnn"),
    ("train", "--head", "logistic"),
    ("layers", "--plot", "none"),
    ("lr-range", "--plot", "none"),
    ("predict", "--text", "x"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_device_that_is_not_here_is_one_line_before_any_work(
    refusal: Refusal, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    missing = ("--data", "missing.csv") if command[0] != "predict" else ()
    told = refusal(*command, *missing, "--device", "cuda")
    assert told.startswith("error: --device cuda: no such device here; torch ")
    assert refusal(*command, *missing, "--device", "gpu") == (
        "error: --device takes auto, cpu, cuda, cuda:N or mps; got 'gpu'"
    )
    assert not list(Path().iterdir())


def test_a_run_learns_and_predicts_on_a_device_and_records_it(
    run: Run, data: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = ("--data", data, "--encoder", encoder)
    options = ("train", "--head", "lstm", *QUICK, *common)
    here = run(*options, "--device", "cpu")
    folder = Path(run(*options, "--json").json["run"])  # auto, without a GPU
    assert read_config(folder).resolved.device == "cpu"
    assert json.loads((folder / "config.json").read_text())["device"] == "auto"
    assert "training on" not in here.err
    # The processor under another name goes the way of a GPU.
    monkeypatch.setattr(registry, "find_device", lambda name: "cpu:0")
    monkeypatch.setattr(device_vectors, "free_memory", lambda device: 1 << 40)
    there = run(*options, "--json")
    assert "training on cpu:0" in there.err
    other = Path(there.json["run"])
    assert read_config(other).resolved.device == "cpu:0"
    answers = [
        run("predict", "--run", each, "--text", "so glad", "--json").json
        for each in (folder, other)
    ]
    labels, shares = zip(
        *((answer["predictions"][0]["label"], answer) for answer in answers), strict=True
    )
    assert labels[0] == labels[1], shares


def test_layers_takes_a_device(
    run: Run, data: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("layers", "--data", data, "--encoder", encoder, "--layers", "1", "--seeds", "1")
    expected = run(*options, "--plot", "none", "--json").json["layers"]
    monkeypatch.setattr(registry, "find_device", lambda name: "cpu:0")
    monkeypatch.setattr(device_vectors, "free_memory", lambda device: 1 << 40)
    assert run(*options, "--plot", "none", "--json").json["layers"] == expected
