"""What ``manyheads export-model`` is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from features.options import required_option
from features.storage.location import local_path


@dataclass(frozen=True)
class ExportModelConfig:
    """Where a model is written to.

    Attributes:
        out: the folder to make.
    """

    out: Path = required_option(
        "write the model to this new folder", metavar="FOLDER", parse=local_path
    )
