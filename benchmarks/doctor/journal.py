"""The journal: JSON Lines, each on the disk before the next training begins."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def read_journal(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a journal; a torn last line, left by a kill, is cut off."""
    if not path.exists():
        return []
    whole = path.read_bytes()
    end = whole.rfind(b"\n") + 1
    if end < len(whole):
        with path.open("r+b") as stream:
            stream.truncate(end)
    return [json.loads(line) for line in whole[:end].splitlines()]


def append(path: Path, line: Mapping[str, Any]) -> None:
    """Write one line and wait until it is on the disk; several processes may do so."""
    with path.open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.write(json.dumps(line, default=_plain).encode() + b"\n")
        stream.flush()
        os.fsync(stream.fileno())


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return list(value) if isinstance(value, tuple | np.ndarray) else dict(value)
