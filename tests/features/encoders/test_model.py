"""What an encoder's folder says of itself, and every way in which it can be wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from features.encoders.description import model
from features.encoders.description.hub import EMBEDDED, OFFLINE, offline
from features.encoders.description.model import EncoderModel, find_model, find_same
from features.errors import EncoderError, SettingError


@pytest.fixture
def bert(tiny_models: dict[str, Path], tmp_path: Path) -> Path:
    shutil.copytree(tiny_models["bert"], tmp_path / "bert")
    return tmp_path / "bert"


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_the_embedded_encoder() -> None:
    model = find_model()
    assert (model.family, model.width, model.depth, model.max_length) == ("bert", 384, 6, 256)
    assert (model.pooling, model.normalize, model.prompt) == ("mean", True, "")
    assert model.sequence_layer == 4
    assert find_model("sentence-transformers/all-MiniLM-L6-v2").weights == model.weights


def test_embedded_weights_that_are_not_the_official_ones(
    bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "locate", lambda name, trust: bert)
    with pytest.raises(EncoderError, match=r"official SHA-256 53aa51.*force-reinstall"):
        find_model(EMBEDDED)


def test_a_folder_of_the_same_path_on_another_machine_is_compared(bert: Path) -> None:
    """The other machine is this one, after its files have changed."""
    described = find_model(str(bert))
    assert find_same(described).spec("tokens") == described.spec("tokens")
    change(bert / "config.json", hidden_act="relu")
    with pytest.raises(EncoderError, match=r"has other files on the machine .* shared folder"):
        find_same(described)


def test_limits_of_the_families(tiny_models: dict[str, Path]) -> None:
    limits = {name: find_model(str(path)).max_length for name, path in tiny_models.items()}
    # RoBERTa's positions start behind the padding index; XLNet states no limit at all.
    assert limits == {"bert": 32, "roberta": 32, "xlnet": 512}


def test_the_place_of_a_model_does_not_matter_but_its_content_does(
    bert: Path, tiny_models: dict[str, Path]
) -> None:
    moved, original = find_model(str(bert)), find_model(str(tiny_models["bert"]))
    assert moved.spec("pooled") == original.spec("pooled")
    change(bert / "config.json", hidden_act="relu")
    assert find_model(str(bert)).weights != original.weights
    shutil.copy(tiny_models["bert"] / "config.json", bert / "config.json")
    change(bert / "config.json", _name_or_path="elsewhere", transformers_version="9")
    assert find_model(str(bert)).weights == original.weights
    weights = bytearray((bert / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (bert / "model.safetensors").write_bytes(weights)
    assert find_model(str(bert)).weights != original.weights
    change(bert / "tokenizer_config.json", do_lower_case=True)
    assert find_model(str(bert)).tokenizer != original.tokenizer


def test_specs_of_a_model(bert: Path) -> None:
    model = find_model(str(bert))
    pooled, tokens = model.spec("pooled", (1,)), model.spec("tokens", (0, 2))
    assert (pooled.layers, pooled.width, pooled.pooling) == ((2,), 16, "mean")
    assert (tokens.layers, tokens.width, tokens.pooling) == ((0, 2), 32, "none")
    assert model.spec("tokens").layers == (1,)
    with pytest.raises(SettingError, match=r"layer 3 does not exist.*0 .*to 2"):
        model.spec("tokens", (3,))
    with pytest.raises(SettingError, match=r"unknown layout 'words'.*pooled, tokens"):
        model.spec("words")


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ({"pooling_mode": "cls"}, "cls"),
        ({"pooling_mode_max_tokens": True, "pooling_mode_mean_tokens": False}, "max"),
        ({"pooling_mode": ["mean", "max"]}, "modules"),
        ({"pooling_mode": "weightedmean"}, "modules"),
        ({"pooling_mode": "mean", "include_prompt": False}, "modules"),
    ],
)
def test_sentence_transformers_pooling_in_old_and_new_form(
    bert: Path, pooling: dict[str, object], expected: str
) -> None:
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    modules = [{"path": path, "type": f"sentence_transformers.models.{k}"} for path, k in kinds]
    (bert / "modules.json").write_text(json.dumps(modules))
    (bert / "1_Pooling").mkdir()
    (bert / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    model = find_model(str(bert))
    assert model.pooling == expected
    assert model.normalize is (expected != "modules")
    assert model.spec("pooled").normalize is model.normalize, "fingerprints stay as they were"
    assert model.spec("pooled", max_tokens=99).normalize is True
    assert model.spec("tokens", max_tokens=99).normalize is False


def test_a_default_prompt_is_part_of_the_spec(bert: Path) -> None:
    config = {"default_prompt_name": "query", "prompts": {"query": "ask: "}}
    (bert / "config_sentence_transformers.json").write_text(json.dumps(config))
    assert find_model(str(bert)).prompt == "", "the library reads no prompt without modules"
    modules = [{"path": "", "type": "sentence_transformers.models.Transformer"}]
    (bert / "modules.json").write_text(json.dumps(modules))
    model = find_model(str(bert))
    assert model.prompt == model.spec("pooled").prompt == "ask: "


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda f: (f / "config.json").unlink(), "holds no encoder"),
        (lambda f: (f / "config.json").write_text("{"), "cannot read .*config.json"),
        (lambda f: (f / "config.json").write_text("{}"), "states none of hidden_size"),
        (lambda f: (f / "model.safetensors").unlink(), "no model.safetensors.*no weights"),
        (
            lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"),
            "only pytorch_model.bin, which is pickle",
        ),
        (lambda f: (f / "tokenizer.json").unlink(), "no tokenizer"),
    ],
)
def test_folders_that_are_no_encoder(bert: Path, harm: object, message: str) -> None:
    harm(bert)  # type: ignore[operator]
    with pytest.raises(EncoderError, match=message):
        find_model(str(bert))


@pytest.mark.parametrize("name", ["./nowhere", "/no/such/folder", "a/b/c"])
def test_a_path_that_does_not_exist(name: str) -> None:
    with pytest.raises(EncoderError, match=f"no encoder folder '{name}'.*hub id"):
        find_model(name)


def test_a_hub_id_that_cannot_be_had_offline() -> None:
    with pytest.raises(EncoderError, match=r"HF_HUB_OFFLINE is set.*hf download some/model"):
        find_model("some/model")


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE"),
        ({"TRANSFORMERS_OFFLINE": "true"}, "TRANSFORMERS_OFFLINE"),
        ({"HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "1"}, ""),
        ({}, ""),
    ],
)
def test_what_forbids_the_hub(
    values: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in OFFLINE:
        monkeypatch.delenv(name, raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    assert offline() == named


def test_describing_a_model_imports_no_torch() -> None:
    code = (
        "import sys, features.encoders.description.model as m; m.find_model(); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_description_is_a_value(bert: Path) -> None:
    assert find_model(str(bert)) == find_model(str(bert))
    assert isinstance(find_model(str(bert)), EncoderModel)
