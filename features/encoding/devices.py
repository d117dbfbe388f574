"""Devices: which processors and GPUs encode, with one process each."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence

from features.errors import SettingError
from features.messages import listed

CPU, CUDA = "cpu", "cuda"
ITEM = re.compile(r"(cpu)(?:\*([1-9]\d{0,3}))?|(cuda(?::\d{1,3})?)")


def parse_devices(text: str) -> tuple[str, ...]:
    """Parse a comma-separated list of devices into one entry per process.

    >>> parse_devices("cpu*2,cuda:1")
    ('cpu', 'cpu', 'cuda:1')

    Raises:
        SettingError: an entry is not a device, or a GPU is named twice.
    """
    devices: list[str] = []
    for part in text.split(","):
        found = ITEM.fullmatch(part.strip())
        if not found:
            raise SettingError(
                "--devices takes cpu, cpu*N (N processes), cuda (all GPUs) or cuda:N, joined "
                f"by commas; got {text!r}"
            )
        cpu, count, gpu = found.groups()
        devices += [cpu] * int(count or 1) if cpu else [gpu]
    gpus = [device for device in devices if device != CPU]
    if len(set(gpus)) < len(gpus) or (CUDA in gpus and len(gpus) > 1):
        raise SettingError(
            f"--devices {text} names a GPU twice; one process a GPU keeps it busy"
        )
    return tuple(devices)


def present(devices: Sequence[str], cores: int, gpus: int) -> tuple[str, ...]:
    """Return the devices, with ``cuda`` replaced by all GPUs.

    Args:
        devices: as ``parse_devices`` gives them.
        cores: number of CPU cores of this machine.
        gpus: number of GPUs of this machine.

    Raises:
        SettingError: this machine does not have one of the devices.
    """
    if devices.count(CPU) > cores:
        raise SettingError(
            f"--devices asks for {devices.count(CPU)} processes on the processor, and this "
            f"machine has {cores} cores; ask for at most {cores}"
        )
    known = [f"{CUDA}:{number}" for number in range(gpus)]
    missing = [x for x in devices if x not in (CPU, *known) and not (x == CUDA and known)]
    if missing:
        there = listed([CPU, *known])
        raise SettingError(
            f"--devices {missing[0]}: no such device here; this machine has {there}"
        )
    return tuple(x for name in devices for x in (known if name == CUDA else [name]))


def core_count() -> int:
    """Return the number of CPU cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def threads(device: str, devices: Sequence[str]) -> int:
    """Return the number of threads for the process of a device; processes share the cores."""
    sharing = max(1, list(devices).count(CPU)) if device == CPU else len(devices)
    return max(1, core_count() // sharing)


def limit_threads(count: int) -> None:
    """Limit the threads of this process, since all processes share the cores."""
    os.environ["OMP_NUM_THREADS"] = str(count)  # read when torch is imported
    os.environ["RAYON_NUM_THREADS"] = str(count)  # of the tokenizer
    if "torch" in sys.modules:  # by the script that started all this
        sys.modules["torch"].set_num_threads(count)
