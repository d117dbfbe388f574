"""The hardware of this machine: GPUs, and whether bfloat16 is faster than float32.

Imports torch only if there may be a GPU and the answer depends on it.
"""

from __future__ import annotations

import importlib
import os
import platform
from collections.abc import Sequence
from functools import cache
from pathlib import Path

AUTO = "auto"

CPUINFO = Path("/proc/cpuinfo")

BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""CPU flags for matrix products in bfloat16. Without one of them torch emulates bfloat16, and
float32 is faster."""

BFLOAT16_CAPABILITY = 8
"""Minimum major compute capability of GPUs that multiply bfloat16; older ones emulate it."""

GPU_SIGNS = tuple(map(Path, ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/dev/kfd")))
"""Device files of drivers: NVIDIA on Linux, any GPU under WSL2, AMD with ROCm."""


def flags_in(cpuinfo: str) -> frozenset[str]:
    """Return the flags that a Linux ``/proc/cpuinfo`` lists (x86 ``flags``, Arm
    ``Features``)."""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return frozenset(value.split())
    return frozenset()


@cache
def processor() -> str:
    """Return what tells this processor from others that may be faster at something else: name,
    instructions and number of cores."""
    try:
        info = CPUINFO.read_text(encoding="utf-8")
    except OSError:
        info = ""
    names = [
        x.partition(":")[2].strip() for x in info.splitlines() if x.startswith("model name")
    ]
    name = names[0] if names else platform.processor()
    flags = " ".join(sorted(flags_in(info)))
    return f"{platform.machine()}; {name}; {flags}; {os.cpu_count()}"


@cache
def cpu_bfloat16() -> bool:
    """Return whether the processor multiplies bfloat16 faster than float32."""
    try:
        return bool(flags_in(CPUINFO.read_text(encoding="utf-8")) & BFLOAT16_FLAGS)
    except OSError:
        return False


def gpu_possible() -> bool:
    """Return whether there may be a GPU, without importing torch; False is certain."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return False
    return os.name != "posix" or any(sign.exists() for sign in GPU_SIGNS)


@cache
def gpu_bfloat16(device: str) -> bool:
    """Return whether a GPU multiplies bfloat16 in hardware, by asking torch.

    Args:
        device: ``cuda`` or ``cuda:N``; False if there is no such device.
    """
    cuda = importlib.import_module("torch").cuda
    try:
        return bool(cuda.get_device_capability(device)[0] >= BFLOAT16_CAPABILITY)
    except (RuntimeError, AssertionError, ValueError):  # no such device, or torch without CUDA
        return False


def default_device() -> str:
    """Return the default device of encoders: ``cuda`` if torch finds a GPU, else ``cpu``."""
    if gpu_possible() and importlib.import_module("torch").cuda.is_available():
        return "cuda"
    return "cpu"


def gains_from_bfloat16(device: str) -> bool:
    """Return whether autocast to bfloat16 is faster on a torch device."""
    if device == "cpu":
        return cpu_bfloat16()
    return device.startswith("cuda") and gpu_possible() and gpu_bfloat16(device)


def chosen_precision(precision: str, devices: Sequence[str] = ()) -> str:
    """Resolve ``auto`` to the precision that is faster on all devices.

    Args:
        precision: ``auto``, ``float32`` or ``bfloat16``.
        devices: torch devices that encode into one space; empty: the default device.

    Returns:
        ``float32`` or ``bfloat16``.
    """
    if precision != AUTO:
        return precision
    gains = all(map(gains_from_bfloat16, devices or (default_device(),)))
    return "bfloat16" if gains else "float32"
