"""The precision follows the device that encodes; the processor is judged by its own flags."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from features.machine import hardware
from features.machine.hardware import chosen_precision, cpu_bfloat16


class Machine:
    """A machine to order: what its processor says, its device files, what torch finds."""

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self.patch, self.folder = patch, folder
        self.has(flags="avx2", signs=(), capabilities=None)

    def has(
        self, flags: str, signs: tuple[str, ...], capabilities: dict[str, int] | None
    ) -> None:
        cpuinfo = self.folder / "cpuinfo"
        cpuinfo.write_text(f"flags : fpu {flags}\n")
        self.patch.setattr(hardware, "CPUINFO", cpuinfo)
        paths = [self.folder / name for name in ("nvidiactl", "nvidia0", "dxg", "kfd")]
        for path in paths:
            path.unlink(missing_ok=True)
        for sign in signs:
            (self.folder / sign).touch()
        self.patch.setattr(hardware, "GPU_SIGNS", paths)
        self.patch.setenv("CUDA_VISIBLE_DEVICES", "0")

        def capability(device: str) -> tuple[int, int]:
            if not capabilities or device not in capabilities:
                raise AssertionError("Torch not compiled with CUDA enabled")
            return capabilities[device], 0

        # None in sys.modules: whoever imports torch gets an error.
        cuda = SimpleNamespace(
            is_available=lambda: bool(capabilities), get_device_capability=capability
        )
        torch = None if capabilities is None else SimpleNamespace(cuda=cuda)
        self.patch.setitem(sys.modules, "torch", torch)
        cpu_bfloat16.cache_clear()
        hardware.gpu_bfloat16.cache_clear()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Machine]:
    yield Machine(monkeypatch, tmp_path)
    cpu_bfloat16.cache_clear()
    hardware.gpu_bfloat16.cache_clear()


def test_a_gpu_says_nothing_of_the_processor(machine: Machine) -> None:
    machine.has("avx2", ("nvidiactl", "nvidia0"), {"cuda": 9})
    assert not cpu_bfloat16()
    assert chosen_precision("auto", ["cpu"]) == "float32"
    assert chosen_precision("auto", ["cuda"]) == chosen_precision("auto") == "bfloat16"
    assert chosen_precision("auto", ["cuda", "cpu"]) == "float32", "one space, one precision"


@pytest.mark.parametrize("sign", ["nvidiactl", "nvidia0", "dxg", "kfd"])
def test_a_gpu_is_asked_itself_whichever_driver_it_has(machine: Machine, sign: str) -> None:
    machine.has("amx_bf16", (sign,), {"cuda": 7, "cuda:1": 8})
    assert chosen_precision("auto") == "float32", "a GPU that emulates bfloat16"
    assert chosen_precision("auto", ["cuda:1"]) == "bfloat16"
    assert chosen_precision("auto", ["cpu"]) == "bfloat16"
    assert chosen_precision("auto", ["cuda:7"]) == "float32", "not there: refused later"


def test_without_a_gpu_torch_is_not_imported(machine: Machine) -> None:
    machine.has("avx512_bf16", (), None)
    assert chosen_precision("auto") == "bfloat16"
    machine.has("avx512", (), None)
    assert chosen_precision("auto") == "float32"
    machine.has("avx512", ("nvidia0",), None)
    assert chosen_precision("auto", ["cpu"]) == "float32"
    machine.patch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert chosen_precision("auto") == chosen_precision("auto", ["cuda"]) == "float32"


def test_a_gpu_that_torch_cannot_use_does_not_count(machine: Machine) -> None:
    machine.has("bf16", ("nvidiactl",), {})
    assert chosen_precision("auto") == "bfloat16", "on the processor"


def test_a_precision_that_was_asked_for_stays(machine: Machine) -> None:
    machine.has("avx2", (), None)
    assert chosen_precision("bfloat16", ["cpu"]) == "bfloat16"
