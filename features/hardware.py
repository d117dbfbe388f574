"""What this machine's processor can do, read without importing torch."""

from __future__ import annotations

from functools import cache
from pathlib import Path

AUTO, TORCH, OPENVINO = "auto", "torch", "openvino"
BACKENDS = (AUTO, TORCH, OPENVINO)
"""What can run an encoder here (``features.backends``); auto takes the faster one."""

CPUINFO = Path("/proc/cpuinfo")
NVIDIA_DEVICE = Path("/dev/nvidia0")

# Matrix products in bfloat16 are an instruction there, so autocast pays. On other processors
# torch emulates them and float32 is faster.
BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


def flags_in(cpuinfo: str) -> frozenset[str]:
    """The flags that a Linux ``/proc/cpuinfo`` lists (x86 ``flags``, Arm ``Features``)."""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return frozenset(value.split())
    return frozenset()


@cache
def gains_from_bfloat16() -> bool:
    """Whether autocast to bfloat16 is faster here: the processor or an NVIDIA GPU has it."""
    if NVIDIA_DEVICE.exists():
        return True
    try:
        return bool(flags_in(CPUINFO.read_text(encoding="utf-8")) & BFLOAT16_FLAGS)
    except OSError:
        return False


def chosen_precision(precision: str) -> str:
    """``float32`` or ``bfloat16`` as given; for ``auto`` the faster one here."""
    if precision != AUTO:
        return precision
    return "bfloat16" if gains_from_bfloat16() else "float32"
