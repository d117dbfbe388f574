"""``manyheads compare``: finished runs side by side.

the runs -> groups on the same texts and sides -> order by validation, pairs on test -> report
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from features.errors import CacheError, SettingError
from features.outputs.output import check_output
from pipeline.comparison.compared_run import ComparedRun, read_compared
from pipeline.comparison.config import CompareConfig
from pipeline.comparison.disagreements import (
    Disagreement,
    disagreements,
    to_dict,
    write_disagreements,
)
from pipeline.comparison.standing import Pair, Standing, compare_pairs, rank, same_texts
from pipeline.console import print_note
from pipeline.overview.run_facts import first_config
from pipeline.runs.folder import finished_runs, run_label
from pipeline.search.records.winner import find_winner_or_run


@dataclass(frozen=True, eq=False)
class Group:
    """Runs on the same texts and sides.

    Attributes:
        runs: the best on validation first.
        pairs: those that were compared.
        disagreements: test texts that some get right and others wrong.
    """

    runs: tuple[Standing, ...]
    pairs: tuple[Pair, ...]
    disagreements: tuple[Disagreement, ...]

    @property
    def simplest(self) -> int:
        """Return the number of the smallest run that validation does not tell from the best."""
        alike = [i for i, run in enumerate(self.runs) if run.within_noise]
        return min(alike, key=lambda i: (self.runs[i].run.cost.parameters or 0, i))

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        names = [run.run.name for run in self.runs]
        first = self.runs[0]
        return {
            "data": first.run.facts.data,
            "corpus_digest": first.held_out.corpus_digest,
            "folds": first.held_out.fold_count,
            "best_on_validation": names[0],
            "simplest_within_noise": names[self.simplest],
            "runs": [run.to_dict() for run in self.runs],
            "pairs": [
                {
                    "first": names[pair.first],
                    "second": names[pair.second],
                    **asdict(pair.heads),
                    "p_corrected": pair.p_corrected,
                    "beyond_chance": pair.beyond_chance,
                    "over_seeds": asdict(pair.over_seeds) if pair.over_seeds else None,
                }
                for pair in self.pairs
            ],
            "disagreements": [to_dict(each, self.runs) for each in self.disagreements],
        }


@dataclass(frozen=True, eq=False)
class Comparison:
    """What ``manyheads compare`` reports.

    Attributes:
        groups: in the order in which their first runs were named.
        apart: runs that kept too little to be compared.
        examples: texts to show of each kind.
        out: the file that was written.
    """

    groups: tuple[Group, ...]
    apart: tuple[ComparedRun, ...]
    examples: int
    out: Path | None
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        return {
            "groups": [group.to_dict() for group in self.groups],
            "not_compared": {run.name: run.lacking for run in self.apart},
            "out": str(self.out) if self.out else None,
        }

    def to_text(self) -> str:
        """Return the report for people."""
        from pipeline.comparison.report import comparison_text

        return comparison_text(self)


def compare_runs(names: Sequence[str], runs: Path, config: CompareConfig) -> Comparison:
    """Compare finished runs.

    Args:
        names: as ``find_run`` takes them, or of studies, each of which stands for the run of
            its winner; none: all runs on the data of the newest one.
        runs: the folder of runs.
        config: how to compare.

    Raises:
        SettingError: one name, or a run twice.
        CacheError: a run does not exist or is damaged.
        OutputError: the file cannot be written.
    """
    if config.out is not None:
        check_output(config.out, "--out", (runs, *names))
    read = _named(names, runs) if names else _newest(runs)
    together: dict[tuple[object, ...], list[ComparedRun]] = {}
    for run in read:
        if run.held_out is not None:
            together.setdefault(same_texts(run.held_out), []).append(run)
    groups = tuple(_group(each, config) for each in together.values())
    if config.out is not None:
        rows = [
            {"group": number, **row}
            for number, group in enumerate(groups, start=1)
            for row in group.to_dict()["disagreements"]
        ]
        write_disagreements(config.out, rows)
    apart = tuple(run for run in read if run.held_out is None)
    return Comparison(groups, apart, config.examples, config.out)


def _group(runs: Sequence[ComparedRun], config: CompareConfig) -> Group:
    standings = rank(runs)
    pairs = compare_pairs(standings, config.all_pairs(len(standings)))
    return Group(standings, pairs, disagreements(standings))


def _named(names: Sequence[str], runs: Path) -> list[ComparedRun]:
    if len(names) < 2:
        raise SettingError(
            f"compare takes two runs or more; got {names[0]} alone: name another, or none for "
            "all runs on the newest data"
        )
    folders = [find_winner_or_run(name, runs).resolve() for name in names]
    for folder in folders:
        if folders.count(folder) > 1:
            raise SettingError(
                f"the run {run_label(folder, runs)} is named twice: name each run once"
            )
    return [read_compared(folder, run_label(folder, runs)) for folder in folders]


def _newest(runs: Path) -> list[ComparedRun]:
    """Return all readable runs on the same texts as the newest one, the newest first."""
    found: list[ComparedRun] = []
    digest, damaged = "", 0
    for folder in finished_runs(runs):
        try:
            own = first_config(folder).resolved.corpus_digest
            if own == (digest or own):
                found.append(read_compared(folder, run_label(folder, runs)))
                digest = own
        except CacheError:
            damaged += 1
    if damaged:
        print_note(f"note: {damaged} damaged in {runs} left out; manyheads runs names them")
    if not found:
        raise CacheError(
            f"no finished run in {runs}; train one with: manyheads train --data FILE"
        )
    return found
