"""The columns that a run was trained on: those that new files of the same kind have too."""

from __future__ import annotations

from pathlib import Path

from features.corpus.columns import Columns
from features.errors import CacheError
from pipeline.runs.files.json_format import read_object
from pipeline.runs.folder import CONFIG, find_run

FIRST_PART = "parts/1"
"""Where the first run of a blend stands in its folder."""


def columns_of(run: str, runs: Path) -> Columns:
    """Return the columns of texts and labels of a run; the usual ones where it has none.

    What is wrong with a run is said when it is opened.

    Args:
        run: a run folder, its name or the beginning of it, or ``latest``.
        runs: the folder of runs.
    """
    try:
        folder = Path(run) if Path(run).is_dir() else find_run(run, runs)
        part = folder / FIRST_PART
        data = read_object((part if part.is_dir() else folder) / CONFIG, "").get("data")
    except CacheError:  # an exported model too
        return Columns()
    names = data.get("columns") if isinstance(data, dict) else None
    found = names if isinstance(names, dict) else {}
    text, label = (found.get(role) for role in ("text", "label"))
    return Columns(str(text or Columns.text), str(label or Columns.label), split=None)
