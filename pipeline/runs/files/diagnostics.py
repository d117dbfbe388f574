"""``diagnostics.json``: what was measured of every training; runs before it have none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from heads.evaluation.measurements import Diagnostics
from pipeline.runs.files.json_format import JsonFormat

DIAGNOSTICS = "diagnostics.json"


class TrainingDiagnostics(BaseModel):
    """What was measured of one training."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fold: int
    seed: int
    measured: Diagnostics


class RunDiagnostics(BaseModel):
    """The content of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trainings: tuple[TrainingDiagnostics, ...]

    def find(self, fold: int, seed: int) -> Diagnostics | None:
        """Return what was measured of a training; None if nothing was."""
        found = (one.measured for one in self.trainings if (one.fold, one.seed) == (fold, seed))
        return next(found, None)


DIAGNOSTICS_FORMAT = JsonFormat(RunDiagnostics, 1, "train the run again")


def write_diagnostics(folder: Path, trainings: Sequence[TrainingDiagnostics]) -> None:
    """Write the file into a run folder."""
    values = RunDiagnostics(trainings=tuple(trainings)).model_dump(mode="json")
    DIAGNOSTICS_FORMAT.write(folder / DIAGNOSTICS, values)


def read_diagnostics(folder: Path) -> RunDiagnostics | None:
    """Return what was measured; None of an older run.

    Raises:
        DamagedFileError: the file is damaged.
    """
    path = folder / DIAGNOSTICS
    return DIAGNOSTICS_FORMAT.read(path) if path.exists() else None
