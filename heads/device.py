"""The device that a head learns and predicts on: the processor, or a GPU.

A name is ``cpu``, ``cuda:N`` (an NVIDIA or AMD GPU) or ``mps`` (Apple's); ``auto`` and ``cuda``
are resolved by :func:`find_device`. Imports torch only where it is needed.
"""

from __future__ import annotations

import importlib
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from features.errors import DeviceMemoryError, SettingError
from features.messages import listed

AUTO, CPU, CUDA, MPS = "auto", "cpu", "cuda", "mps"
FORM = re.compile(r"auto|cpu|mps|cuda(:\d{1,3})?")

CUBLAS = "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
"""Lets cuBLAS repeat its sums bit for bit; read when it starts."""

AMPERE = 8
"""Minimum major compute capability of GPUs that multiply bfloat16 and TF32 in hardware."""


def check_device(name: object) -> None:
    """Refuse what is no device. Raises ``SettingError``."""
    if not (isinstance(name, str) and FORM.fullmatch(name)):
        raise SettingError(f"--device takes auto, cpu, cuda, cuda:N or mps; got {name!r}")


def find_device(name: str) -> str:
    """Return the torch device of a name, such as ``cuda:0`` for ``cuda``.

    ``auto`` is the first NVIDIA or AMD GPU if torch finds one, else the processor.

    Raises:
        SettingError: no such name, or this machine does not have the device.
    """
    check_device(name)
    if name == CPU:
        return CPU
    torch = importlib.import_module("torch")
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    known = [f"{CUDA}:{number}" for number in range(gpus)]
    if torch.backends.mps.is_available():
        known.append(MPS)
    if name == AUTO:
        found = f"{CUDA}:0" if gpus else CPU
    else:
        found = f"{CUDA}:0" if name == CUDA else name
        if found not in known:
            raise SettingError(
                f"--device {name}: no such device here; torch {torch.__version__} finds "
                f"{listed([CPU, *known])}"
            )
    if found.startswith(CUDA):
        os.environ.setdefault(*CUBLAS)
    return found


def check_here(name: str) -> None:
    """Refuse a device that is named and not here; only a GPU's name needs torch.

    Raises:
        SettingError: no such name, or this machine does not have the device.
    """
    if name != AUTO:
        find_device(name)


def device_label(device: str) -> str:
    """Return a device with the name of its card, such as ``cuda:0 (NVIDIA L4)``."""
    if not device.startswith(CUDA):
        return device
    return f"{device} ({importlib.import_module('torch').cuda.get_device_name(device)})"


def is_ampere(device: str) -> bool:
    """Return whether a device multiplies bfloat16 and TF32 in hardware, as GPUs since 2020."""
    if not device.startswith(CUDA):
        return False
    cuda = importlib.import_module("torch").cuda
    return bool(cuda.get_device_capability(device)[0] >= AMPERE)


def free_memory(device: str) -> int:
    """Return how many bytes of a GPU's memory torch can still allocate."""
    torch = importlib.import_module("torch")
    if device == MPS:
        most = torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
        return max(0, int(most))
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0] + kept)


@contextmanager
def computing(device: str, tf32: bool = False) -> Iterator[None]:
    """Compute on a device repeatably, and restore torch's switches on exit.

    On the processor nothing is switched. On a GPU, operations that have a form with a fixed
    order of sums take it; torch warns about one that has none.

    Args:
        device: as :func:`find_device` gives it.
        tf32: let products of float32 round their factors to TF32.

    Raises:
        DeviceMemoryError: the memory of the GPU does not suffice.
    """
    if device == CPU:
        yield
        return
    torch = importlib.import_module("torch")
    before = _switches(torch)
    cudnn = torch.backends.cudnn.flags
    try:
        _switch(torch, True, True, False, "high" if tf32 else "highest")
        with _quiet(cudnn(enabled=True, deterministic=True, allow_tf32=tf32)):
            yield
    except torch.OutOfMemoryError as error:
        raise DeviceMemoryError(
            f"the memory of {device} does not suffice ({_first_line(error)}): pass "
            "--device cpu, or lower batch_size, for example --set batch_size=16"
        ) from error
    finally:
        _switch(torch, *before)


def _switches(torch: Any) -> tuple[bool, bool, bool, str]:
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.utils.deterministic.fill_uninitialized_memory,
        torch.get_float32_matmul_precision(),
    )


def _switch(torch: Any, fixed: bool, warn_only: bool, fill: bool, precision: str) -> None:
    torch.use_deterministic_algorithms(fixed, warn_only=warn_only)
    torch.utils.deterministic.fill_uninitialized_memory = fill
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch 2.9 and later: a newer way to say the same
        torch.set_float32_matmul_precision(precision)


@contextmanager
def _quiet(switches: Any) -> Iterator[None]:
    """Enter and leave a context of torch without its warnings about newer names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        switches.__enter__()
    try:
        yield
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            switches.__exit__(None, None, None)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
