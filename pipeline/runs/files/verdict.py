"""``doctor.json``: what the doctor last said of a run; a run that was not examined has none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from pipeline.runs.files.json_format import JsonFormat

DOCTOR = "doctor.json"
REMEDY = "examine the run again: manyheads doctor"


class _Part(BaseModel):
    """A part of the file; what a page does not show is not read."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class StoredTrial(_Part):
    """A counterfactual that was tried."""

    change: str
    measure: str
    before: float
    after: float
    interval: tuple[float, float]
    verdict: str
    command: str = ""
    curve: tuple[float, ...] = ()


class StoredFinding(_Part):
    """One thing that was found."""

    cause: str
    certainty: str
    tried: tuple[StoredTrial, ...] = ()


class StoredExclusion(_Part):
    """What it is not, and why."""

    cause: str
    why: str


class StoredVerdict(_Part):
    """The content of the file.

    Attributes:
        state: ``ill``, ``healthy`` or ``unknown``.
        lines: as the terminal had them.
        findings: the leading one first.
        ruled_out: everything.
        numbers: what was measured, its value, and what is usual.
        measurements: as plain values, by group.
    """

    state: str
    lines: tuple[str, ...]
    findings: tuple[StoredFinding, ...]
    ruled_out: tuple[StoredExclusion, ...]
    numbers: tuple[tuple[str, str, str], ...]
    measurements: dict[str, Any]

    @property
    def tried(self) -> tuple[StoredTrial, ...]:
        """Return every counterfactual of every finding."""
        return tuple(trial for finding in self.findings for trial in finding.tried)


VERDICT_FORMAT = JsonFormat(StoredVerdict, 1, REMEDY)


def read_verdict(folder: Path) -> StoredVerdict | None:
    """Return what the doctor last said of a run; None of one that was not examined.

    Raises:
        DamagedFileError: the file is damaged.
    """
    path = folder / DOCTOR
    return VERDICT_FORMAT.read(path) if path.exists() else None
