"""``manyheads runs``: the finished runs as a table.

It reads two small files of each run and imports no torch, so that 500 runs are quick.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.errors import CacheError, SettingError
from features.messages import listed, many, meant
from pipeline.console import table
from pipeline.evaluation.evaluation import Score
from pipeline.evaluation.result import BLEND_NAME
from pipeline.overview.run_facts import RunFacts, age_text, read_facts
from pipeline.runs.folder import CONFIG, FAILURE, METRICS

SORTS: dict[str, Callable[[RunFacts], Any]] = {
    "age": lambda run: -run.began,
    "name": lambda run: run.name,
    "data": lambda run: (run.data_name, _best_first(run.test)),
    "head": lambda run: (run.head, _best_first(run.test)),
    "encoder": lambda run: (run.encoder_name, _best_first(run.test)),
    "validation": lambda run: _best_first(run.validation),
    "test": lambda run: _best_first(run.test),
}
"""Orders of the table: the newest or the best first, names by the alphabet."""

HEADER = ("run", "data", "head", "encoder", "validation", "test (95 % interval)", "age")
ALIGN = "<<<<><>"


@dataclass(frozen=True)
class RunList:
    """The runs in a folder.

    Attributes:
        folder: of runs.
        runs: those that were asked for, in the order asked for.
        hidden: how many finished runs the filters leave out.
        unfinished: folders of runs that failed or did not finish.
        damaged: name -> why its files cannot be read.
    """

    folder: Path
    runs: tuple[RunFacts, ...]
    hidden: int
    unfinished: tuple[str, ...]
    damaged: dict[str, str]
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        return {
            "folder": str(self.folder),
            "runs": [run.to_dict() for run in self.runs],
            "unfinished": list(self.unfinished),
            "damaged": self.damaged,
        }

    def to_text(self) -> str:
        """Return the table, and a line about each kind of folder that is not in it."""
        lines = [self._table() if self.runs else f"no finished run in {self.folder}"]
        if self.hidden:
            lines.append(f"{many(self.hidden, 'other run')} left out by the filters")
        if self.unfinished:
            lines.append(f"did not finish: {listed(self.unfinished, 5)}")
        if self.damaged:
            lines.append(f"damaged, see manyheads show NAME: {listed(self.damaged, 5)}")
        return "\n".join(lines)

    def _table(self) -> str:
        rows = [
            (
                run.name,
                run.data_name,
                run.head,
                run.encoder_name,
                run.validation.accuracy_told,
                run.test.told,
                age_text(run.age),
            )
            for run in self.runs
        ]
        widest = [max(len(row[i]) for row in rows) for i in range(2)]
        return table(HEADER, rows, ALIGN, min_widths=(widest[0],))


def list_runs(
    folder: Path, sort: str = "age", data: str | None = None, head: str | None = None
) -> RunList:
    """Return the runs in a folder.

    Args:
        folder: of runs; one that does not exist holds none.
        sort: one of ``SORTS``.
        data: only runs on this data: its path, or a part of its name.
        head: only runs of this head, or of ``blend``.

    Raises:
        SettingError: no such order or head.
    """
    if sort not in SORTS:
        raise SettingError(
            f"--sort takes one of {listed(SORTS)}; got {sort!r}{meant(sort, SORTS)}"
        )
    _check_head(head)
    found: list[RunFacts] = []
    unfinished: list[str] = []
    damaged: dict[str, str] = {}
    for each in sorted(folder.iterdir()) if folder.is_dir() else []:
        if each.name.startswith(".") or not each.is_dir():
            continue
        if (each / METRICS).is_file():
            try:
                found.append(read_facts(each))
            except CacheError as error:
                damaged[each.name] = str(error)
        elif (each / FAILURE).is_file() or (each / CONFIG).is_file():
            unfinished.append(each.name)
    chosen = [run for run in found if _matches(run, data, head)]
    chosen.sort(key=SORTS[sort])
    hidden = len(found) - len(chosen)
    return RunList(folder, tuple(chosen), hidden, tuple(unfinished), damaged)


def _best_first(score: Score) -> tuple[bool, float]:
    """Return what sorts scores: those of too few texts stand last."""
    return not score.enough, -score.accuracy


def _check_head(head: str | None) -> None:
    from heads.registry import HEADS

    if head is not None and head not in (*HEADS, BLEND_NAME):
        known = (*HEADS, BLEND_NAME)
        raise SettingError(
            f"--head takes one of {listed(known)}; got {head!r}{meant(head, known)}"
        )


def _matches(run: RunFacts, data: str | None, head: str | None) -> bool:
    if head is not None and run.head != head:
        return False
    if data is None:
        return True
    path = Path(data)
    same = path.exists() and str(path.absolute()) == run.data
    return same or data == run.data or (not same and data in run.data_name)
