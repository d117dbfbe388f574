"""One line at the end of a training, from what was measured while it ran; mostly none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.command_line import as_typed
from pipeline.console import print_note
from pipeline.doctor.case import Case
from pipeline.doctor.conclusion import is_ill
from pipeline.doctor.measuring.collection import measure
from pipeline.doctor.measuring.free import FREE
from pipeline.doctor.runs.run_case import case_of_training
from pipeline.doctor.symptom import symptom_of
from pipeline.training.experiment import Learned

if TYPE_CHECKING:
    from pipeline.doctor.cause import Suspected


@dataclass(frozen=True)
class Watch:
    """What is worth a look at.

    Attributes:
        cause: that the signals speak for; '' where none stands out.
        line: for people.
        command: that proves it or rules it out.
    """

    cause: str
    line: str
    command: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"cause": self.cause, "line": self.line, "command": self.command}


def watch_training(learned: Learned, run: Path) -> tuple[Watch, ...]:
    """Return what is worth a look in an experiment that is still in memory: at most one thing.

    A finished training is never lost to it: where it fails, a note says so.

    Args:
        learned: of the experiment.
        run: its folder.
    """
    try:
        found = watch(case_of_training(learned), run)
    except Exception as error:  # the run is complete, whatever is wrong here
        print_note(f"note: the doctor could not look at it ({error}); the run is complete")
        return ()
    return () if found is None else (found,)


def watch(case: Case, run: Path) -> Watch | None:
    """Return what free measurements say; None where nothing is wrong as far as they see.

    Args:
        case: with what was measured while training; nothing else is measured.
        run: its folder, for the command.
    """
    measured, _ = measure(case, measurers=FREE)
    if not is_ill(measured):
        return None
    # Imported only now: most trainings are well, and then no cause is looked for.
    from pipeline.doctor.cause import suspicions
    from pipeline.doctor.causes.registry import CAUSES

    command = f"manyheads doctor {run.name}"
    if run.parent != Path("runs"):
        command += f" --runs {run.parent}"
    shown = as_typed(command)
    found = [each for each in suspicions(measured, CAUSES) if _speaks(each)]
    if not found:
        return Watch("", f"Watch: {symptom_of(measured)} Why: {shown}", command)
    first = found[0]
    number = first.suspicion.evidence[0].sentence if first.suspicion.evidence else ""
    return Watch(
        first.cause.name,
        f"Watch: {first.suspicion.explanation}, likely ({number}). Proof: {shown}",
        command,
    )


def _speaks(each: Suspected) -> bool:
    """Return whether a cause may be named before anything is proven: one that steps show."""
    from pipeline.doctor.examination import LIKELY

    if "steps" not in each.cause.needs:
        return False
    return each.suspicion.measured or each.suspicion.strength >= LIKELY
