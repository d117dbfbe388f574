"""``--devices``, ``--backend``, ``--roofline`` and ``--layout`` as a user would type them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from features.encoders.description.model import find_model
from features.store.store import FeatureStore
from features.text.keys import text_keys
from pipeline.cli.main import main
from tests.support.cli import Refusal

TEXTS = [f"the cat sat on the mat {i} times and then " + "again " * (i % 5) for i in range(30)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data.csv"
    path.write_text("text\n" + "\n".join(TEXTS) + "\n")
    return path


def test_two_processes_give_what_one_gives_and_a_warm_run_says_no_speed(
    data: Path,
    tiny_models: dict[str, Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("features.encoding.devices.core_count", lambda: 2)
    monkeypatch.setattr("pipeline.encoding.vectors.core_count", lambda: 2)
    encoder = str(tiny_models["bert"])
    common = ["features", "--data", str(data), "--encoder", encoder, "--precision", "float32"]
    two = [*common, "--cache", "two", "--devices", "cpu*2", "--backend", "torch"]
    assert main([*two, "--roofline", "--json"]) == 0
    first = json.loads(capfd.readouterr().out)
    assert first["encoded"] == 30
    assert first["speed"]["backend"] == "torch"
    assert first["speed"]["tokens_a_second"] > 0
    assert 0 <= first["speed"]["roofline_share"] < 1
    assert first["speed"]["roofline_gflops"] > 1
    assert main([*two, "--roofline"]) == 0
    assert "tokens per second" not in capfd.readouterr().out
    assert main([*common, "--cache", "one"]) == 0
    shown = capfd.readouterr().out
    assert "tokens per second with torch in float32" in shown
    assert "GFLOP/s" not in shown
    spec = find_model(encoder).spec("tokens")
    keys = text_keys(TEXTS)
    one, other = (
        FeatureStore(tmp_path / name).space(spec).table(keys) for name in ("one", "two")
    )
    assert np.abs(one.values.astype(float) - other.values.astype(float)).max() < 1e-2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--devices", "cuda:3"],
            "--devices cuda:3: no such device here; this machine has cpu",
        ),
        (["--devices", "tpu"], "--devices takes cpu, cpu*N (N processes), cuda (all GPUs)"),
        (["--devices", "cpu*99"], "99 processes on the processor, and this machine has"),
        (["--backend", "tensorflow"], "unknown choice 'tensorflow'"),
    ],
)
def test_devices_and_back_ends_that_are_not_here_are_one_line_and_exit_code_2(
    options: list[str],
    message: str,
    data: Path,
    tiny_models: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    encoder = str(tiny_models["bert"])
    assert main(["features", "--data", str(data), "--encoder", encoder, *options]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    assert message in error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--executor", "ray"], "needs a package that is not installed: pip install 'manyh"),
        (["--executor", "dask"], "--executor takes here or ray; got 'dask'"),
        (["--address", "10.0.0.1:6379"], "--address belongs to --executor ray: give that too"),
        (["--workers", "2"], "--workers belongs to --executor ray: give that too; on this"),
        (["--executor", "ray", "--roofline"], "--roofline measures this machine: leave --ex"),
        (["--executor", "ray", "--certify"], "--certify measures this machine: leave --exec"),
        (["--certify", "--estimate"], "--certify and --estimate exclude each other: give one"),
        (["--workers", "0", "--estimate"], "--workers is how many to start, 1 or more; got 0"),
    ],
)
def test_a_cluster_that_cannot_be_used_is_one_line_and_exit_code_2(
    options: list[str],
    message: str,
    data: Path,
    refusal: Refusal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipeline.encoding.config.find_spec", lambda name: None)
    assert message in refusal("features", "--data", data, *options)


def test_a_cluster_takes_kinds_of_devices(
    data: Path, refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.encoding.config.find_spec", lambda name: name)
    line = refusal("features", "--data", data, "--executor", "ray", "--devices", "cpu*2")
    assert "--devices is cpu or cuda with --executor ray, and --workers how many" in line


def test_a_back_end_that_is_not_installed_is_named_with_its_remedy(
    data: Path,
    tiny_models: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("features.encoders.backends.selection.installed", lambda: False)
    common = ["features", "--data", str(data), "--encoder", str(tiny_models["bert"])]
    assert main([*common, "--backend", "openvino"]) == 2
    assert (
        "pip install 'manyheads[openvino]', or pass --backend torch" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("layout", "head"), [("tokens", "cnn"), ("sentences", "attention"), ("pooled", "logistic")]
)
def test_features_of_one_layout_are_all_that_train_needs(
    tiny_models: dict[str, Path], capsys: pytest.CaptureFixture[str], layout: str, head: str
) -> None:
    lines = (f"{text},{'ab'[i % 2]}" for i, text in enumerate(TEXTS))
    Path("labelled.csv").write_text("text,label\n" + "\n".join(lines) + "\n")
    common = ["--data", "labelled.csv", "--encoder", str(tiny_models["bert"]), "--json"]
    quick = [] if head == "logistic" else ["--set", "epochs=1"]
    encoded = []
    train = ["train", "--head", head, "--split", "random", *quick]
    for command in (["features"], train):
        capsys.readouterr()
        assert main([*command, *common, "--layout", layout]) == 0
        encoded.append(json.loads(capsys.readouterr().out)["encoded"])
    assert encoded == [len(TEXTS), 0]
