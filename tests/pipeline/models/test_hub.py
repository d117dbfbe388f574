"""A model goes to the hub and comes back by its name; its card is one that the hub reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import ModelCard, constants
from huggingface_hub.repocard_data import model_index_to_eval_results

from pipeline.models.hub import shown_name
from tests.support.cli import Command, Output, Refusal, Run
from tests.support.cli import told as told_of
from tests.support.hub import TOKEN, FakeHub, fake_hub

Online = Callable[..., Output]


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with fake_hub() as found:
        yield found


@pytest.fixture
def online(hub: FakeHub, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Online:
    """Run a command that reaches the hub, whose library read the environment at its import."""
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    template = f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "home"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)

    def call(*arguments: object, token: str = TOKEN, offline: bool = False) -> Output:
        monkeypatch.setenv("HF_TOKEN", token)
        monkeypatch.setenv("HF_HUB_OFFLINE", str(int(offline)))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
        return run(*arguments)

    return call


def test_a_model_goes_to_the_hub_and_comes_back(
    hub: FakeHub, online: Online, run: Run, train: Command, tiny_models: dict[str, Path]
) -> None:
    folder = train("logistic", "--layout", "pooled")["run"]
    before = run("predict", folder, "--text", "rain again", "--json").json
    told = online("export-model", folder, "--out", "m", "--push", "me/my-model", "--json").json
    name, _, commit = told["pushed"].partition("@")
    assert name == "hub:me/my-model"
    assert hub.private == {"me/my-model"}
    found = hub.files("me/my-model", commit)
    assert found is not None
    assert {*found[1]} == {*told["files"]}
    assert found[1]["model.json"] == Path("m/model.json").read_bytes()
    assert set(hub.cards) == {Path("m/README.md").read_text(encoding="utf-8")}

    encoder = ("--encoder", tiny_models["bert"])
    asked = ("--text", "rain again", "--json")
    again = online("predict", told["pushed"], *encoder, *asked)
    assert told_of(again.json) == told_of(before)
    assert f"model: me/my-model@{commit[:7]} (logistic)" in again.err
    offline = online("predict", f"{name}@{commit}", *encoder, *asked, offline=True)
    assert told_of(offline.json) == told_of(before)


def test_the_card_shows_results(run: Run, data: Path, tiny_models: dict[str, Path]) -> None:
    many = data.with_name("many.csv")
    lines = data.read_text(encoding="utf-8").splitlines()
    rows = [f"{n} {line}" for n in range(4) for line in lines[1:]]
    many.write_text("\n".join([lines[0], *rows]) + "\n", encoding="utf-8")
    common = ("--encoder", tiny_models["bert"], "--head", "logistic", "--layout", "pooled")
    result = run("train", "--data", many, *common, "--json").json
    assert run("export-model", "--out", "my-model").code == 0
    metadata = ModelCard.load(Path("my-model/README.md")).data.to_dict()
    assert metadata["pipeline_tag"] == "text-classification"
    name, results = model_index_to_eval_results(metadata["model-index"])
    assert name == "my-model"
    values = {(each.dataset_split, each.metric_type): each.metric_value for each in results}
    assert values["test", "accuracy"] == pytest.approx(result["test"]["accuracy"], abs=1e-4)
    assert {each.dataset_name for each in results} == {"many.csv"}


def test_what_the_hub_refuses_leaves_the_folder(
    hub: FakeHub, online: Online, train: Command
) -> None:
    folder = train("logistic", "--layout", "pooled")["run"]
    done = online("export-model", folder, "--out", "m", "--push", "me/m", token="hf_wrong")
    assert done.code != 0
    (line,) = [line for line in done.err.splitlines() if line.startswith("error:")]
    assert "--push me/m failed (" in line
    assert "the model is in m: upload it with 'hf upload me/m m'" in line
    assert (Path("m") / "model.json").is_file()
    line = online("predict", "hub:me/none", "--text", "a").refusal
    assert "hub:me/none cannot be fetched: there is no such model" in line


@pytest.mark.parametrize("name", ["", "m", "a/b/c", "/m", "me/", "me/m@main", "..//m"])
def test_names_that_are_none(refusal: Refusal, train: Command, name: str) -> None:
    line = refusal("export-model", "--out", "m", "--push", name)
    assert "--push takes OWNER/NAME" in line
    for command in (("predict", "--text", "a", "--run"), ("serve", "--run")):
        if "@" not in name:
            assert "names no model of the hub" in refusal(*command, f"hub:{name}")


def test_push_says_at_once_what_it_needs(
    refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    asked = ("export-model", "--out", "m", "--push", "me/m")
    assert "HF_HUB_OFFLINE is set" in refusal(*asked)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    assert "hf auth login" in refusal(*asked)
    assert "me/a--b" in refusal(*asked[:-1], "me/a--b")
    assert "--public goes with --push" in refusal("export-model", "--out", "m", "--public")


def test_names_for_people() -> None:
    commit = "ab" * 20
    snapshot = Path("hub") / "models--me--my-model" / "snapshots" / commit
    assert shown_name(snapshot) == "me/my-model@abababa"
    assert shown_name(Path("runs/one")) == "one"
