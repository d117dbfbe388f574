"""``manyheads log`` with fakes in place of the trackers."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.support.cli import REPOSITORY, Command, Refusal, Run

OLD = REPOSITORY / "tests" / "old" / "runs"
CALLS: list[tuple[str, Any]] = []


@pytest.fixture(autouse=True)
def runs(tmp_path: Path) -> Path:
    CALLS.clear()
    return Path(shutil.copytree(OLD, tmp_path / "runs"))


def called(name: str) -> list[Any]:
    return [given for each, given in CALLS if each == name]


def noting(name: str) -> Any:
    return lambda *given, **more: CALLS.append((name, (*given, *more.values())))


class Context(SimpleNamespace):
    def __enter__(self) -> Context:
        return self

    def __exit__(self, *_: object) -> None:
        CALLS.append(("finish", ()))


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = ModuleType("mlflow")
    for name in ("set_experiment", "log_params", "log_metrics", "log_artifact"):
        setattr(fake, name, noting(name))
    run = Context(info=SimpleNamespace(run_id="r1"))
    fake.start_run = lambda run_name: CALLS.append(("start", run_name)) or run  # type: ignore[attr-defined]
    fake.get_tracking_uri = lambda: "file:here"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mlflow", fake)


def test_mlflow_gets_settings_results_epochs_and_files(mlflow: None, command: Command) -> None:
    result = command("log", "cnn", "--to", "mlflow", "--project", "mine", "--files")
    assert called("set_experiment") == [("mine",)]
    assert called("start") == ["cnn"]
    ((parameters,),) = called("log_params")
    assert (parameters["head"], parameters["settings/epochs"]) == ("cnn", 2)
    assert parameters["data"] == "texts.csv"
    (metrics,), *epochs = called("log_metrics")
    assert metrics["test/accuracy"] == 0.25
    assert metrics["test/accuracy_high"] == 0.75
    assert "baseline/majority/accuracy" in metrics
    assert [step for _, step in epochs] == [1, 2]
    assert set(epochs[0][0]) > {"epoch/train_loss", "epoch/validation_accuracy"}
    names = {Path(path).name for (path,) in called("log_artifact")}
    assert {"metrics.json", "head.safetensors", "classes.csv"} <= names
    assert not names & {"errors.jsonl", "training.parquet", "predictions.parquet"}, "texts"
    assert (result["where"], result["steps"]) == ("run r1 at file:here", 2)
    assert (result["metrics"], result["files"]) == (len(metrics), len(names))


def test_wandb_and_trackio_get_the_same_numbers(
    command: Command, monkeypatch: pytest.MonkeyPatch, refusal: Refusal
) -> None:
    wandb, trackio = ModuleType("wandb"), ModuleType("trackio")
    summary = SimpleNamespace(update=noting("summary"))
    run = Context(log=noting("log"), summary=summary, url=None, dir="wandb/x")
    wandb.init = lambda **more: CALLS.append(("init", more)) or run  # type: ignore[attr-defined]
    trackio.init = lambda **more: print("hello") or CALLS.append(("init", more))  # type: ignore[attr-defined,func-returns-value]
    trackio.log, trackio.finish = noting("log"), noting("finish")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    monkeypatch.setitem(sys.modules, "trackio", trackio)
    assert command("log", "cnn", "--to", "wandb")["where"] == "wandb/x"
    init, ((metrics,),), epochs = called("init")[0], called("summary"), called("log")
    CALLS.clear()
    # What a tracker prints does not get into the JSON on stdout.
    shown = command("log", "cnn", "--to", "trackio")["where"]
    assert shown == 'trackio show --project "manyheads"'
    assert called("init") == [init]
    assert called("log") == [*epochs, (metrics,)]
    assert called("finish") == [()]
    assert command("log", "blend", "--to", "trackio")["steps"] == 0
    assert "takes numbers alone" in refusal("log", "cnn", "--to", "trackio", "--files")


def test_what_cannot_be_logged_is_refused(
    refusal: Refusal, run: Run, monkeypatch: pytest.MonkeyPatch, runs: Path
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    line = refusal("log", "cnn", "--to", "wandb")
    assert line.endswith("install it with: pip install 'manyheads[wandb]'")
    broken = ModuleType("trackio")

    def init(**_: object) -> None:
        raise ConnectionError("no\nroute")

    broken.init = init  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "trackio", broken)
    assert "did not take the run cnn (no route)" in refusal("log", "cnn", "--to", "trackio")
    assert "--to" in refusal("log", "cnn")
    assert "choose one of: mlflow, wandb, trackio" in refusal("log", "cnn", "--to", "mlfow")
    assert "--project takes a name" in refusal("log", "cnn", "--to", "mlflow", "--project", " ")
    assert "no run 'nix'" in refusal("log", "nix", "--to", "mlflow")
    (runs / "cnn" / "history.jsonl").write_text("x")
    assert "history.jsonl is damaged" in refusal("log", "cnn", "--to", "wandb")
