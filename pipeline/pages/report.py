"""``manyheads report``: writes the page of a run, of two runs side by side, or of a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.errors import SettingError
from features.outputs.output import appearing, check_output
from pipeline.console import megabytes
from pipeline.overview.run_choice import choose_run
from pipeline.pages.config import ReportConfig
from pipeline.pages.material import read_material
from pipeline.pages.pair_report import COMPARISON, pair_page
from pipeline.pages.run_report import REPORT, run_page
from pipeline.runs.folder import LATEST
from pipeline.search.records.study import as_study
from pipeline.search.records.winner import winner_run

MOST_RUNS = 2


@dataclass(frozen=True)
class Report:
    """A page that was written.

    Attributes:
        out: the file.
        runs: folders of the runs that it shows.
        notes: what it lacks, and why.
    """

    out: Path
    runs: tuple[Path, ...]
    notes: tuple[str, ...]
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        return {
            "out": str(self.out),
            "runs": [str(run) for run in self.runs],
            "bytes": self.out.stat().st_size,
            "notes": list(self.notes),
        }

    def to_text(self) -> str:
        """Return the lines for people."""
        size = megabytes(self.out.stat().st_size)
        lines = [f"{self.out} ({size}): open it in a browser; it needs no network"]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def write_report(names: Sequence[str], runs: Path, config: ReportConfig) -> Report:
    """Write the page of one run, of two, or of a study.

    Args:
        names: of the runs, as ``find_run`` takes them, or of a study; () is the latest run.
            Beside another, a study stands for the run of its winner.
        runs: the folder of runs.
        config: where the page goes.

    Raises:
        SettingError: more than two runs, one of them twice, or an output that is no file.
        CacheError: there is no such run, or it is damaged.
        OutputError: the page cannot be written.
    """
    if len(names) > MOST_RUNS:
        raise SettingError(f"report takes one run or two; got {len(names)}")
    study = as_study(names[0], runs) if len(names) == 1 else None
    if study is not None:
        return _write_study(study, config)
    folders = tuple(_folder_of(name, runs) for name in names or (LATEST,))
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise SettingError(f"report: {names[0]} and {names[1]} are the same run; name another")
    out = config.out or (folders[0] / REPORT if len(folders) == 1 else Path(COMPARISON))
    check_output(out, "--out", [file for folder in folders for file in _read(folder)])
    materials = [read_material(folder, runs, config) for folder in folders]
    if len(materials) == 1:
        page = run_page(materials[0])
    else:
        # Imported only where two runs are compared.
        from pipeline.comparison.comparison import compare_runs
        from pipeline.comparison.config import CompareConfig

        compared = compare_runs([str(folder) for folder in folders], runs, CompareConfig())
        page = pair_page(compared, materials)
    with appearing(out, "--out") as temporary:
        temporary.write_bytes(page.encode("utf-8", "replace"))
    first = materials[0]
    notes = () if first.corpus is not None else (_without_texts(first.page.facts.data),)
    return Report(out, folders, notes)


def _folder_of(name: str, runs: Path) -> Path:
    study = as_study(name, runs)
    return choose_run(name, runs) if study is None else winner_run(study)


def _write_study(study: Path, config: ReportConfig) -> Report:
    """Write the page of a study. Raises as ``write_report`` does."""
    from pipeline.pages.study_report import study_page
    from pipeline.search.records.record import read_record

    for name in ("data", "cache"):
        if getattr(config, name) is not None:
            raise SettingError(f"the page of a study has no texts: leave --{name} out")
    out = config.out or study / REPORT
    check_output(out, "--out", _read(study))
    page = study_page(read_record(study))
    with appearing(out, "--out") as temporary:
        temporary.write_bytes(page.encode("utf-8", "replace"))
    return Report(out, (study,), ())


def _read(folder: Path) -> list[Path]:
    """Return the files of a run that the page must not be written over."""
    return [path for path in folder.iterdir() if path.name != REPORT]


def _without_texts(data: str) -> str:
    return (
        f"{data} is not there or holds other texts by now, so the page has the texts of the "
        "errors only; name the file with --data"
    )
