"""Which run a command takes, said where it is not plain."""

from __future__ import annotations

from pathlib import Path

from features.errors import CacheError
from pipeline.console import print_note
from pipeline.overview.run_facts import first_config
from pipeline.runs.folder import LATEST, find_run, finished_runs


def choose_run(run: str, runs: Path) -> Path:
    """Return the folder of a run as ``find_run`` does; ``latest`` among several data sets says
    on stderr which run that is, and on what data it was trained.

    Raises:
        CacheError: no such run, or one that failed.
    """
    folder = find_run(run, runs)
    if run == LATEST:
        data = _data_of(folder)
        others = {_data_of(each) for each in finished_runs(runs)} - {data, ""}
        if data and others:
            print_note(
                f"note: the latest run is {folder.name}, trained on {Path(data).name}; others "
                "are on other data: manyheads runs lists them, and their names choose"
            )
    return folder


def _data_of(folder: Path) -> str:
    """Return what a run was trained on; '' where that cannot be read."""
    try:
        return first_config(folder).data.data
    except CacheError:
        return ""
