"""``manyheads doctor``: why a head does not learn, with proof.

run folder -> case -> examination -> verdict, and if asked for the cure
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.encoders.description.model import EncoderModel
from features.encoders.protocol import Encoder
from features.errors import CacheError
from features.storage.files import put
from pipeline.doctor.controls import Controls, check_sequence, run_controls
from pipeline.doctor.examination import examine
from pipeline.doctor.findings import Verdict
from pipeline.doctor.gains.gain import Gains
from pipeline.doctor.gains.measuring import measure_gains
from pipeline.doctor.numbers import number_rows
from pipeline.doctor.runs.config import DoctorConfig
from pipeline.doctor.runs.cure import Cures, cure
from pipeline.doctor.runs.run_case import case_of_run
from pipeline.doctor.telling import verdict_text, verdict_values
from pipeline.runs.files.verdict import DOCTOR

FOUND = 3
"""Exit code of ``--strict`` where anything was found."""


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What ``manyheads doctor`` reports.

    Attributes:
        run: the folder.
        verdict: of the examination.
        config: what was asked for.
        cured: the run beside its remedies; None where not asked for.
        controls: whether the sequence counts; None where not asked for.
        gains: what would help most; None where not asked for.
    """

    run: Path
    verdict: Verdict
    config: DoctorConfig
    cured: Cures | None = None
    controls: Controls | None = None
    gains: Gains | None = None

    @property
    def exit_code(self) -> int:
        """Return 0, or 3 with ``strict`` where anything was found."""
        return FOUND if self.config.strict and self.verdict.findings else 0

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        tried = () if self.cured is None else self.cured.tried
        best = None if self.cured is None else self.cured.best
        values = {
            "run": str(self.run),
            **verdict_values(self.verdict),
            "cured": None if best is None else best.to_dict(),
            "remedies": [each.to_dict() for each in tried],
        }
        for name, found in (("controls", self.controls), ("gains", self.gains)):
            if found is not None:
                values[name] = found.to_dict()
        return values

    def to_text(self) -> str:
        """Return the verdict for people."""
        more = [each.to_text() for each in (self.controls, self.gains) if each is not None]
        return "\n\n".join([self._verdict(), *more])

    def _verdict(self) -> str:
        text = verdict_text(self.verdict, self.config.all)
        if self.cured is not None:
            return f"{text}\n\n{self.cured.to_text()}"
        return text


def run_doctor(
    folder: Path,
    config: DoctorConfig,
    load: Callable[[EncoderModel], Encoder] | None = None,
) -> Diagnosis:
    """Examine a finished run.

    Args:
        folder: of the run.
        config: what to try and tell.
        load: gives the encoder when something is missing; None loads the model itself.

    Raises:
        InputError: anything wrong with what the user gave; see ``features.errors``.
        FaultError: a corrupt cache, or vectors that are not finite.
    """
    case = case_of_run(folder, config, load)
    if config.controls:
        check_sequence(case)
    verdict = examine(case, prove=not config.no_prove, budget=config.budget, every=config.all)
    cured = cure(verdict, case, load) if config.cure else None
    store(folder, verdict)
    controls = run_controls(case) if config.controls else None
    gains = measure_gains(case) if config.gains else None
    return Diagnosis(folder, verdict, config, cured, controls, gains)


def store(folder: Path, verdict: Verdict) -> None:
    """Keep the verdict in the folder of its run, for its page, if that can be written."""
    values = {
        **verdict_values(verdict),
        "lines": verdict_text(verdict).splitlines(),
        "numbers": [list(row) for row in number_rows(verdict.measurements)],
    }
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
    with suppress(OSError, CacheError):
        put(folder, DOCTOR, f"{text}\n".encode(errors="backslashreplace"))
