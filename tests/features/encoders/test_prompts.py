"""A prompt before every text: part of the vectors' identity, kept by a run, used to predict."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from features import FeatureEncoder, FeatureStore, encode, load_encoder
from features.encoders.description.model import find_model
from features.errors import EncoderError, SettingError
from pipeline.command_line import words_of
from pipeline.config import VectorConfig
from tests.support.cli import Command, Refusal, three_classes
from tests.support.transformers import SENTENCES

EXACT = {"dtype": "float32", "precision": "float32"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return three_classes(tmp_path / "data.csv")


@pytest.fixture(scope="module")
def prompted(tiny_models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence-transformers model with two named prompts, one of them its default."""
    folder = tmp_path_factory.mktemp("prompted") / "model"
    whole = SentenceTransformer(
        str(tiny_models["bert"]),
        device="cpu",
        prompts={"query": "rain: ", "passage": "boat: "},
        default_prompt_name="passage",
    )
    whole.save(str(folder), create_model_card=False)
    return folder


def test_vectors_are_the_librarys_with_every_way_to_give_a_prompt(
    prompted: Path, tmp_path: Path
) -> None:
    whole = SentenceTransformer(str(prompted), device="cpu")
    store = FeatureStore(tmp_path / "cache")
    ways: dict[str | None, list[dict[str, Any]]] = {
        "boat: ": [{}, {"prompt_name": "passage"}, {"prompt": "boat: "}],
        "rain: ": [{"prompt_name": "query"}, {"prompt": "rain: "}],
        "": [{"prompt": ""}],
    }
    for prompt, options in ways.items():
        expected = whole.encode(SENTENCES, prompt=prompt)
        for each in options:
            table = encode(SENTENCES, load_encoder(prompted, **each), store, **EXACT)
            assert np.abs(table.values - expected).max() < 1e-5, each
            mine = FeatureEncoder(prompted, cache=tmp_path / "cache", **EXACT, **each)
            assert np.array_equal(mine.fit_transform(SENTENCES), table.values)
    spaces = list((tmp_path / "cache").iterdir())
    assert len(spaces) == len(ways), "a space per prompt, however it is given"
    again = encode(SENTENCES, load_encoder(prompted), store, prompt="rain: ", **EXACT)
    assert np.abs(again.values - whole.encode(SENTENCES, prompt="rain: ")).max() < 1e-5


def test_prompts_that_do_not_exist_or_will_not_do(
    prompted: Path, tiny_models: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(
        SettingError, match=r"no prompt named 'q'; it has document, passage, query"
    ):
        load_encoder(prompted, prompt_name="q")
    with pytest.raises(SettingError, match=r"it has none: .*give the text itself"):
        load_encoder(tiny_models["bert"], prompt_name="query")
    with pytest.raises(SettingError, match="exclude each other"):
        VectorConfig(prompt="a", prompt_name="query")
    with pytest.raises(SettingError, match="exclude each other"):
        load_encoder(prompted, prompt="a", prompt_name="query")
    with pytest.raises(SettingError, match="no UTF-8 at character 2"):
        VectorConfig(prompt="a\udcff")
    long = load_encoder(prompted, prompt="rain " * 40)
    with pytest.raises(EncoderError, match="takes all of the 32 tokens"):
        encode(SENTENCES, long, FeatureStore(tmp_path))


def test_a_prompt_survives_into_the_command_that_gives_it_again() -> None:
    words = words_of(VectorConfig(prompt="", max_tokens=900))
    assert words == ["--max-tokens", "900", "--prompt", ""]
    assert words_of(VectorConfig(prompt_name="query")) == ["--prompt-name", "query"]


def test_a_run_keeps_its_prompt_and_predicts_with_it(
    prompted: Path, data: Path, tmp_path: Path, command: Command, refusal: Refusal
) -> None:
    common = ("--data", data, "--encoder", prompted)
    result = command("train", *common, "--prompt-name", "query")
    config = json.loads(Path(result["run"], "config.json").read_text())
    assert config["vectors"]["prompt_name"] == "query"
    assert config["resolved"]["spec"]["prompt"] == "rain: "
    spaces = {path.name for path in Path("cache").iterdir()}
    first = command("predict", "--text", "a new text")["predictions"]
    assert {path.name for path in Path("cache").iterdir()} == spaces
    for prompt, encoded in (("rain: ", 0), ("", 60)):
        again = command("features", *common, "--layout", "pooled", "--prompt", prompt)
        assert again["encoded"] == encoded
    listed = command("cache")["spaces"]
    assert {space["prompt"] for space in listed} == {"rain: ", ""}
    # A model whose own default has changed since still gives the run's vectors.
    other = tmp_path / "other"
    shutil.copytree(prompted, other)
    settings = other / "config_sentence_transformers.json"
    values = json.loads(settings.read_text()) | {"default_prompt_name": None}
    settings.write_text(json.dumps(values))
    assert find_model(str(other)).prompt == ""
    moved = command("predict", "--text", "a new text", "--encoder", other)["predictions"]
    assert moved == first
    assert "it has document, passage, query" in refusal(
        "audit", *common, "--prompt-name", "title"
    )
