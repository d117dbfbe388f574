"""``manyheads train --preset`` as a user would type it, right and wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from heads.presets import PRESETS
from pipeline.config import ExperimentConfig
from tests.support.cli import Output, Run

CLASSES = ("joy", "fear", "anger", "shame", "guilt", "hope", "pride", "grief")


@pytest.fixture
def train(tmp_path: Path, tiny_models: dict[str, Path], run: Run) -> Run:
    data = tmp_path / "data.csv"
    rows = [f"the {CLASSES[i % 8]} of day {i},{CLASSES[i % 8]}" for i in range(96)]
    data.write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")

    def call(*arguments: object) -> Output:
        common = ("--data", data, "--encoder", tiny_models["bert"], "--split", "random")
        return run("train", *arguments, *common, "--json")

    return call


def config(done: Output) -> dict[str, Any]:
    return json.loads((Path(done.json["run"]) / "config.json").read_text())


def test_a_preset_is_recorded_with_what_was_set_on_top(train: Run) -> None:
    seen = config(train("--preset", "A1", "--set", "epochs=1", "filters=8"))
    assert (seen["preset"], seen["head"], seen["settings"]) == (
        "A1",
        "cnn",
        {"epochs": "1", "filters": "8"},
    )
    resolved = seen["resolved"]["settings"]
    assert (resolved["kernels"], resolved["filters"], resolved["epochs"]) == ([2, 6], 8, 1)
    assert (resolved["optimizer"], resolved["dense"]) == ("rmsprop", [270])


def test_units_come_from_the_classes_of_the_data(train: Run) -> None:
    seen = config(train("--preset", "b4", "--head", "lstm", "--set", "epochs=1"))
    assert seen["preset"] == "B4"
    assert seen["resolved"]["settings"]["units"] == len(CLASSES) // 4


def test_without_a_preset_nothing_changed(train: Run) -> None:
    seen = config(train())
    assert (seen["preset"], seen["head"]) == (None, "logistic")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--preset", "Z9"), "no preset is called 'Z9'; choose one of: A1, A2, A3"),
        (("--preset", "B3", "--head", "cnn"), "B3 is one of head lstm, not cnn"),
        (("--preset", "A1", "--set", "units=3"), "head cnn has no setting 'units'"),
        (
            ("--preset", "A3", "--layout", "pooled"),
            "cnn_lstm does not take the layout 'pooled'",
        ),
        (("--head", "cnn", "--set", "class_weights=joy"), "label=weight, not 'joy'"),
        (("--head", "cnn", "--set", "class_weights=love=2"), "'love', which is no class"),
        (("--head", "cnn", "--set", "pooling=flatten"), "set max_vectors as well"),
    ],
)
def test_what_is_wrong_is_one_line(train: Run, arguments: tuple[str, ...], words: str) -> None:
    done = train(*arguments)
    assert words in done.refusal
    assert done.out == ""


def test_every_preset_makes_a_valid_experiment() -> None:
    for preset in PRESETS.values():
        experiment = ExperimentConfig(head=preset.head, preset=preset.name)
        assert experiment.overrides(8) == preset.overrides(8)
        assert experiment.to_dict()["preset"] == preset.name
