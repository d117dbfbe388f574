"""Devices by name: what is refused, what ``auto`` takes, and torch's switches afterwards."""

from __future__ import annotations

import os

import pytest
import torch

from features.errors import DeviceMemoryError, SettingError
from heads.device import check_device, computing, device_label, find_device, is_ampere
from heads.estimator import HeadClassifier
from heads.registry import device_of
from tests.support.tables import cluster_problem


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with two NVIDIA GPUs, to ask for and never to compute on."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda device: f"Card {device[-1]}")
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: (7, 5))
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)


@pytest.mark.parametrize(
    "name", ["tpu", "cuda:", "cuda:x", "cpu*2", "cpu:0", "", "CUDA", None, 0]
)
def test_what_is_no_device_is_refused(name: object) -> None:
    with pytest.raises(
        SettingError, match="--device takes auto, cpu, cuda, cuda:N or mps; got"
    ):
        check_device(name)


@pytest.mark.usefixtures("two_gpus")
def test_the_names_of_a_machine_with_gpus() -> None:
    found = {name: find_device(name) for name in ("auto", "cpu", "cuda", "cuda:1")}
    assert found == {"auto": "cuda:0", "cpu": "cpu", "cuda": "cuda:0", "cuda:1": "cuda:1"}
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    with pytest.raises(SettingError, match=r"--device cuda:2: no such device.*cpu, cuda:0, cu"):
        find_device("cuda:2")
    assert device_label("cuda:1") == "cuda:1 (Card 1)"
    assert not is_ampere("cuda:0")


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps"])
def test_a_machine_without_a_gpu(name: str) -> None:
    assert find_device("auto") == "cpu"
    with pytest.raises(SettingError, match=rf"--device {name}: no such device here; .* cpu$"):
        find_device(name)
    problem = cluster_problem()
    with pytest.raises(SettingError, match="no such device here"):
        HeadClassifier("mlp", device=name).fit(problem.table, problem.labels)


@pytest.mark.usefixtures("two_gpus")
def test_heads_that_take_no_steps_stay_on_the_processor() -> None:
    assert device_of("cnn", "auto") == "cuda:0"
    assert device_of("logistic", "cuda:1") == device_of("knn", "auto") == "cpu"


def test_switches_are_set_and_restored() -> None:
    def switches() -> tuple[bool, str, bool]:
        return (
            torch.are_deterministic_algorithms_enabled(),
            torch.get_float32_matmul_precision(),
            torch.backends.cudnn.deterministic,
        )

    before = switches()
    with computing("cpu"):
        assert switches() == before
    with computing("cpu:0", tf32=True):  # any device but cpu
        assert switches() == (True, "high", True)
        with computing("cpu:0"):
            assert switches() == (True, "highest", True)
        assert switches() == (True, "high", True)
    assert switches() == before


def test_too_little_memory_is_one_line_with_a_remedy() -> None:
    before = torch.are_deterministic_algorithms_enabled()
    message = r"tried 2 GiB\): pass --device cpu, or lower batch_size"
    with pytest.raises(DeviceMemoryError, match=message), computing("cpu:0"):
        raise torch.OutOfMemoryError("tried 2 GiB.\nand more lines")
    assert torch.are_deterministic_algorithms_enabled() == before
