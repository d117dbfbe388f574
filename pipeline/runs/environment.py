"""The environment of a run: packages, processor, arguments."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Any

from features.machine.packages import version

PACKAGES = (
    "manyheads",
    "numpy",
    "pyarrow",
    "scikit-learn",
    "sentence-transformers",
    "tokenizers",
    "torch",
    "transformers",
)


def environment() -> dict[str, Any]:
    """Return the environment of a run, for ``environment.json``."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "packages": {name: version(name) for name in PACKAGES},
        "arguments": sys.argv[1:],
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
