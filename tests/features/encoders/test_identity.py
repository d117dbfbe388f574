"""Which encoder a run wants: its limit, its Python code, its commit on the hub."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from features.encoders.description.hub import commit_of, locate
from features.encoders.description.model import find_model
from features.errors import EncoderError
from pipeline.cli.main import main
from pipeline.prediction.encoder_check import check_encoder, differing
from tests.support.cli import Command, Refusal, three_classes, told

OLD, NEW = "a" * 40, "b" * 40


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return three_classes(tmp_path / "data.csv")


def test_an_encoder_that_sees_the_whole_window_at_once_differs_in_max_length(
    tiny_models: dict[str, Path], data: Path, command: Command, refusal: Refusal
) -> None:
    model = find_model(str(tiny_models["bert"]))
    for layout in ("pooled", "tokens"):
        spec = model.spec(layout, max_tokens=60)
        for limit in (60, 512):
            wider = replace(model, max_length=limit)
            assert differing(wider, spec) == [f"max_length ({limit}, not 32)"]
    command("train", "--data", data, "--encoder", tiny_models["bert"], "--max-tokens", 40)
    line = refusal("predict", "--text", "x", "--encoder", "all-MiniLM-L6-v2")
    assert "max_length (256, not 32)" in line
    assert "--max-tokens" not in line


@pytest.fixture
def with_code(tiny_models: dict[str, Path], tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    shutil.copytree(tiny_models["bert"], folder)
    (folder / "extra.py").write_text("# nothing\n")
    return folder


def test_a_run_whose_encoder_ran_its_own_code_names_the_flag(
    with_code: Path,
    data: Path,
    command: Command,
    refusal: Refusal,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trust = "--trust-remote-code"
    command("train", "--data", data, "--encoder", with_code, trust)
    line = refusal("predict", "--text", "a red fox")
    assert "differs in weights" in line
    assert "was run then: pass --trust-remote-code" in line
    assert command("predict", "--text", "a red fox", trust)["predictions"]
    sample = ("verify", "--data", data, "--encoder", with_code, "--sample", 3)
    assert command(*sample)["findings"] == []
    assert command(*sample, trust)["compared"] == 3
    main([str(word) for word in sample])
    assert "with --trust-remote-code: pass it to compare them" in capsys.readouterr().err
    plain = find_model(str(with_code)).spec("pooled")
    with pytest.raises(EncoderError, match="leave --trust-remote-code out"):
        check_encoder(find_model(str(with_code), True), plain, Path("r"))


@pytest.fixture
def hub(tiny_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache with two commits of one model; main is the old one."""
    import huggingface_hub

    root = tmp_path / "hub"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(root))
    folder = root / "models--owner--tiny"
    for commit, family in ((OLD, "bert"), (NEW, "roberta")):
        shutil.copytree(tiny_models[family], folder / "snapshots" / commit)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(OLD)
    (folder / "refs" / "v2").write_text(NEW)
    return folder


def test_a_revision_is_a_commit_a_tag_or_a_branch(hub: Path) -> None:
    for name, commit in {
        "owner/tiny": OLD,
        "owner/tiny@main": OLD,
        "owner/tiny@v2": NEW,
        f"owner/tiny@{NEW}": NEW,
    }.items():
        assert commit_of(locate(name)) == find_model(name).commit == commit
    assert find_model("owner/tiny@v2").family == "roberta"
    with pytest.raises(EncoderError, match=r"hf download owner/tiny --revision v3 --local-dir"):
        locate("owner/tiny@v3")
    with pytest.raises(EncoderError, match="names no revision behind the @"):
        locate("owner/tiny@")
    assert find_model().commit == ""


def test_a_run_predicts_from_its_commit_after_the_encoder_moved_on(
    hub: Path, data: Path, tmp_path: Path, command: Command
) -> None:
    result = command("train", "--data", data, "--encoder", "owner/tiny")
    config = json.loads(Path(result["run"], "config.json").read_text())
    assert config["resolved"]["encoder_commit"] == OLD
    command("export-model", "--out", "model")
    before = told(command("predict", "--text", "a red fox"))
    (hub / "refs" / "main").write_text(NEW)
    assert find_model("owner/tiny").commit == NEW
    for run in ("latest", "model"):
        again = command("predict", "--run", run, "--text", "a red fox", "--cache", "new")
        assert told(again) == before
    # The commit is gone, and the same weights are there under another one.
    (hub / "snapshots" / OLD).rename(hub / "snapshots" / ("c" * 40))
    (hub / "refs" / "main").write_text("c" * 40)
    assert told(command("predict", "--text", "a red fox")) == before
