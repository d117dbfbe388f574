"""``manyheads encoders``: the one that knows is found; within noise the quicker is taken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from features.encoders.description.model import EncoderModel
from pipeline.cli.main import main
from pipeline.config import DataConfig, VectorConfig
from pipeline.tuning.encoder_scores import (
    EncoderComparison,
    Price,
    compare_encoders,
    encoder_advice,
    encoder_table,
)
from pipeline.tuning.encoders import EncodersResult, run_encoders
from pipeline.tuning.encoders_config import EncodersConfig
from tests.pipeline.tuning.test_layers import LayeredEncoder, weather, write


def right(count: int, of: int = 400) -> np.ndarray:
    """One training that gets the first ``count`` of some texts right."""
    return (np.arange(of) < count)[None]


def price(weights: int) -> Price:
    return Price(weights, 1.5 if weights > 1 else None, 768.0, 20_000.0)


def compared(small: int, large: int) -> EncoderComparison:
    return compare_encoders(
        {
            "small": {"logistic": right(small - 40), "cnn": right(small)},
            "large": {"logistic": right(large), "cnn": right(large - 40)},
        },
        {"small": price(1), "large": price(9)},
    )


def test_the_quicker_encoder_is_taken_within_noise() -> None:
    comparison = compared(small=299, large=300)
    assert (comparison.best.name, comparison.recommended.name) == ("large", "small")
    said = encoder_advice(comparison)
    assert said[0].startswith("Take --encoder small: large scores 0.2 points more, which is ")
    assert said[1] == "Its best head here is cnn, at 74.8%."


def test_the_better_encoder_is_taken_beyond_noise() -> None:
    comparison = compared(small=200, large=300)
    assert comparison.recommended.name == "large"
    assert comparison.recommended.best_head == "logistic"
    assert encoder_advice(comparison)[0] == "Take --encoder large: no other scores more."
    shown = encoder_table(comparison).splitlines()
    assert shown[0].split() == [
        *("logistic", "cnn", "against", "the", "best", "1,000", "texts", "pooled", "tokens")
    ]
    assert "-25.0 (-29.2 to -21.0)" in shown[1]
    assert "cached" in shown[1]
    assert "1.5 s  0.8 KB  20.0 KB" in shown[2]


Compare = Callable[..., EncodersResult]


@pytest.fixture
def ask(tiny_models: dict[str, Path], tmp_path: Path) -> Compare:
    """Compare two encoders, of which the second knows what the labels say."""
    names = (str(tiny_models["bert"]), str(tiny_models["xlnet"]))
    write(tmp_path / "data.csv", weather(160))

    def load(model: EncoderModel) -> LayeredEncoder:
        return LayeredEncoder([1] if model.name == names[1] else [])

    def call(**changes: object) -> EncodersResult:
        config = EncodersConfig(
            names,
            DataConfig(data=tmp_path / "data.csv", split="random"),
            VectorConfig(cache=tmp_path / "cache"),
            **changes,  # type: ignore[arg-type]
        )
        return run_encoders(config, load)

    return call


def test_encoders_are_compared_on_one_split(ask: Compare, tiny_models: dict[str, Path]) -> None:
    first = ask(seeds=2).to_dict()
    assert first["recommended"] == first["best"] == str(tiny_models["xlnet"])
    one, other = first["encoders"]
    assert one["heads"]["cnn"]["accuracy"] < 0.8 < other["heads"]["cnn"]["accuracy"]
    assert one["heads"]["logistic"]["within_noise"] is False
    assert one["pooled_bytes_per_text"] == 2 * 16
    assert one["token_bytes_per_text"] == 3 * 2 * 16
    assert one["seconds_per_1000_texts"] > 0
    again = ask(seeds=2)
    assert "cached" in again.to_text()
    second = again.to_dict()
    assert [each["heads"] for each in second["encoders"]] == [
        each["heads"] for each in first["encoders"]
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "two or more encoders, each named once: --encoder A --encoder B"),
        (["--encoder", "a", "--encoder", "a"], "two or more encoders"),
        (["--encoder", "a", "--encoder", "b", "--head", "mlp"], "--head mlp takes no token"),
        (["--encoder", "a", "--encoder", "b", "--sample", "5"], "--sample takes 50 texts"),
        (["--encoder", "a", "--encoder", "b", "--seeds", "0"], "--seeds takes 1 to 100"),
        (["--encoder", "all-MiniLM-L6-v2", "--encoder", "absent"], "absent"),
    ],
)
def test_wrong_input_is_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["encoders", *arguments]) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert "Traceback" not in shown
