"""``manyheads log``: a finished run into an experiment tracker."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.errors import OutputError, SettingError
from pipeline.console import one_line
from pipeline.tracking.config import LogConfig
from pipeline.tracking.run_record import RunRecord, read_record

LONGEST_REASON = 200


@dataclass(frozen=True)
class Logged:
    """What ``manyheads log`` reports.

    Attributes:
        run: the run folder.
        to: the tracker.
        project: in it.
        where: it can be seen.
        metrics, steps, files: how many of each were logged.
    """

    run: Path
    to: str
    project: str
    where: str
    metrics: int
    steps: int
    files: int
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        names = ("to", "project", "where", "metrics", "steps", "files")
        return {"run": str(self.run), **{name: getattr(self, name) for name in names}}

    def to_text(self) -> str:
        """Return one line for people."""
        return (
            f"{self.run.name} is in {self.to}, project {self.project}, with {self.metrics} "
            f"metrics, {self.steps} epochs and {self.files} files: {self.where}"
        )


def log_run(folder: Path, config: LogConfig) -> Logged:
    """Log a finished run. Each call makes another entry.

    Raises:
        SettingError: the tracker is not installed.
        OutputError: the tracker refuses the run.
        CacheError: the run is damaged.
    """
    record = read_record(folder, config.files)
    export = _exporter(config.to)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # stdout is for results
            where = export(record, config.project)
    except Exception as error:  # trackers raise errors of many kinds
        if isinstance(error, ModuleNotFoundError) and error.name == config.to:
            raise SettingError(
                f"--to {config.to} needs {config.to}, which is not installed; install it with: "
                f"pip install 'manyheads[{config.to}]'"
            ) from error
        reason = one_line(str(error), LONGEST_REASON) or type(error).__name__
        raise OutputError(
            f"{config.to} did not take the run {folder.name} ({reason}): see whether it is set "
            "up and can be reached"
        ) from error
    return Logged(
        folder,
        config.to,
        config.project,
        where,
        len(record.metrics),
        len(record.history),
        len(record.files),
    )


def _exporter(tracker: str) -> Callable[[RunRecord, str], str]:
    module = importlib.import_module(f"pipeline.tracking.{tracker}_tracker")
    found: Callable[[RunRecord, str], str] = module.export
    return found
