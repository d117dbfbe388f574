"""The run of a study's winner, by the name of the study."""

from __future__ import annotations

from pathlib import Path

from features.errors import CacheError
from pipeline.runs.folder import METRICS, find_run
from pipeline.search.records.study import as_study, named_winner

CHOSEN = "Chosen by "
"""Beginning of the note of a run that a study has chosen."""


def chosen_note(study: str, trials: int) -> str:
    """Return the note of a winner's run.

    Args:
        study: its name.
        trials: among how many it was chosen.
    """
    return (
        f"{CHOSEN}{study} among {trials:,} trials on these validation texts: its validation "
        "score is flattered, its test score is not."
    )


def find_winner_or_run(name: str, runs: Path) -> Path:
    """Return the folder of a run; of a study, that of the run of its winner.

    Args:
        name: of a run, as ``find_run`` takes it, or of a study, as ``as_study`` takes it.

    Raises:
        CacheError: there is neither, or the study has no winner yet, or its run is gone.
    """
    study = as_study(name, runs)
    return find_run(name, runs) if study is None else winner_run(study)


def winner_run(study: Path) -> Path:
    """Return the folder of the run of a study's winner.

    Raises:
        CacheError: it is not named yet, or its run is gone.
    """
    named = named_winner(study)
    if named is None:
        raise CacheError(
            f"the study {study} has named no winner yet: the command that began it goes on"
        )
    run = study.parent / named.run
    if not (run / METRICS).is_file():
        raise CacheError(
            f"the run {named.run} of the winner of {study} is not in {study.parent}: the "
            "command that began the study trains it again"
        )
    return run
