"""What ``manyheads log`` is asked to do."""

from __future__ import annotations

from dataclasses import dataclass

from features.errors import SettingError
from features.options import Options, option, required_option

TRACKERS = ("mlflow", "wandb", "trackio")
NUMBERS_ONLY = ("trackio",)
"""Trackers to which no files are uploaded."""


@dataclass(frozen=True)
class LogConfig(Options):
    """Where to log a run."""

    to: str = required_option("log to this tracker", choices=TRACKERS)
    project: str = option(
        "manyheads", "put the run in this project, or experiment", metavar="NAME"
    )
    files: bool = option(
        False,
        "upload the weights, plots and JSON files of the run, too; texts are never uploaded",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.files and self.to in NUMBERS_ONLY:
            raise SettingError(f"--to {self.to} takes numbers alone: leave --files out")
        if not self.project.strip():
            raise SettingError("--project takes a name; got none")
