"""Corrections: labels that readers of the page put right, appended to a CSV to train with."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from features.errors import OutputError
from pipeline.spreadsheet import escaped

COLUMNS = ("text", "label", "predicted", "run", "time")

MAX_BYTES = 100_000_000
"""Size from which a file of corrections takes no more: a stranger shall not fill the disk."""


def append_correction(path: Path, text: str, label: str, predicted: str, run: str) -> None:
    """Append a row; the first one makes the file. Cells that are formulas get an apostrophe.

    Several processes may write to one file: each row is appended whole, under a lock.

    Args:
        label: the right one.
        predicted: the one that the run gave; "" for none.

    Raises:
        OutputError: the file cannot be written, or is full.
    """
    time = datetime.now(UTC).replace(microsecond=0).isoformat()
    row = escaped([text, label, predicted, run, time])
    try:
        with _locked(path) as descriptor:
            size = os.fstat(descriptor).st_size
            if size > MAX_BYTES:
                raise OutputError(
                    f"--corrections {path} holds {MAX_BYTES // 10**6} MB and takes no more; "
                    "move it away"
                )
            stream = io.StringIO(newline="")
            csv.writer(stream).writerows([row] if size else [COLUMNS, row])
            data = stream.getvalue().encode("utf-8", "backslashreplace")
            while data:
                data = data[os.write(descriptor, data) :]
    except OSError as error:
        raise OutputError(
            f"--corrections {path} cannot be written ({error.strerror or error})"
        ) from error


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Yield the descriptor of a file, open for appending, and locked where that works."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        try:
            import fcntl  # not on Windows; there one process writes

            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except (ImportError, OSError):
            pass
        yield descriptor
    finally:
        os.close(descriptor)
