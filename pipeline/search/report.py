"""What a search reports: as an object, and as text for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.command_line import as_typed
from pipeline.console import table
from pipeline.evaluation.baselines import BASELINE_NAMES
from pipeline.progress import duration
from pipeline.search.candidate import BASELINES, LOSS, Trial, ordered, seconds_used
from pipeline.search.config import SearchConfig
from pipeline.search.judging.finalists import Finalist
from pipeline.search.judging.flattery import Flattery
from pipeline.search.judging.shares import Share

if TYPE_CHECKING:
    from pipeline.evaluation.result import Scores

MOST_SHARES = 5
"""Settings that the report names."""


@dataclass(frozen=True, eq=False)
class SearchResult:
    """What ``manyheads search`` reports.

    Attributes:
        study: its folder.
        config: what was asked for.
        trials: finished simple and drawn trials.
        finalists: the best, trained again; the winner first.
        flattery: of validation.
        shares: the settings that mattered.
        simplest: the simplest head within noise of the winner; None if there is none.
        run: scores of the winner's run; None for a process that only helped.
        command: trains the winner again.
        looks: how often test texts were scored for this study.
        ended: why no more was tried; '' if all was.
        validation: how many texts validate.
    """

    study: Path
    config: SearchConfig
    trials: tuple[Trial, ...]
    finalists: tuple[Finalist, ...] = ()
    flattery: Flattery | None = None
    shares: tuple[Share, ...] = ()
    simplest: Finalist | None = None
    run: Scores | None = None
    command: str = ""
    looks: int = 0
    ended: str = ""
    validation: int = 0
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        return {
            "study": str(self.study),
            "trials": [
                {
                    **asdict(trial.candidate),
                    "seeds": list(trial.job.seeds),
                    **{k: v for k, v in trial.outcome.to_dict().items() if k != "right"},
                }
                for trial in self.trials
            ],
            "finalists": [{**asdict(one), "mean": one.mean} for one in self.finalists],
            "flattery": asdict(self.flattery) if self.flattery else None,
            "settings_that_mattered": [asdict(share) for share in self.shares],
            "simplest_within_noise": (
                asdict(self.simplest.candidate) if self.simplest else None
            ),
            "winner": self.run.to_dict() if self.run else None,
            "command": self.command,
            "test_looks": self.looks,
            "ended": self.ended,
        }

    def to_text(self) -> str:
        """Return the report for people."""
        return search_text(self)


def search_text(result: SearchResult) -> str:
    """Return the report: finalists, how far to believe them, what mattered, what to do."""
    lines = [_counts(result), ""]
    if result.finalists:
        lines += [_finalists(result), "", *_judgement(result), ""]
    if result.run is None:
        lines += [
            f"this process has helped with {result.study}; the command that began it names the "
            "winner and looks at test"
        ]
        return "\n".join(lines)
    run = result.run
    beside = [f"{BASELINE_NAMES.get(n, n)} {s.accuracy:.1%}" for n, s in run.baselines.items()]
    lines += [
        f"test, looked at {_times(result.looks)}: {run.test.told}"
        + (f"; {', '.join(beside)}" if beside else ""),
        f"run: {run.run}",
        f"again: {as_typed(result.command)}",
        f'predict: manyheads predict {run.run} --text "a text of yours"',
        f"study: {result.study} (trials.csv has every trial)",
        f"page: manyheads report {result.study}",
    ]
    return "\n".join(lines)


def _times(looks: int) -> str:
    return "once" if looks == 1 else f"{looks} times, since the study went on after a winner"


def _counts(result: SearchResult) -> str:
    trials = result.trials
    failed = sum(bool(trial.outcome.failed) for trial in trials)
    stopped = sum(trial.outcome.stopped for trial in trials)
    parts = [f"{len(trials):,} trials in {duration(seconds_used(trials))} of training"]
    parts += [f"{stopped:,} stopped early"] if stopped else []
    parts += [f"{failed:,} failed"] if failed else []
    parts += [f"ended: {result.ended}"] if result.ended else []
    return "; ".join(parts)


def _finalists(result: SearchResult) -> str:
    several = len(result.config.encoders) > 1
    rows = []
    for one in result.finalists:
        again = f"{one.mean:.1%}" if one.repeated else "the same"
        rows.append(
            (one.candidate.words(several), f"{one.search:.1%}", again, _against(one, result))
        )
    baselines = [t for t in ordered(result.trials, LOSS) if t.candidate.head in BASELINES]
    rows += [
        (BASELINE_NAMES[trial.candidate.head], f"{trial.outcome.accuracy:.1%}", "", "")
        for trial in baselines
    ]
    folds = result.config.folds
    where = f"in {folds} inner folds" if folds else "on validation"
    header = (where, "in the search", "other seeds", "against the winner")
    return table(header, rows, align="<>><")


def _against(one: Finalist, result: SearchResult) -> str:
    if one is result.finalists[0]:
        return "winner"
    low, high = one.interval
    noise = ", within noise" if one.within_noise else ""
    return f"{one.difference * 100:+.1f} ({low * 100:+.1f} to {high * 100:+.1f}){noise}"


def _judgement(result: SearchResult) -> list[str]:
    """Return how far validation is to be believed, what to take, and what mattered."""
    lines = [] if result.flattery is None else [flattery_line(result.flattery)]
    lines += simplest_lines(result.finalists, result.simplest)
    if result.shares:
        shown = [
            f"{f'{share.head} ' if share.head else ''}{share.setting} {share.share:.0%} "
            f"(best: {share.best or 'none'})"
            for share in result.shares[:MOST_SHARES]
        ]
        lines.append(f"Shares of the variance among trials: {', '.join(shown)}.")
    else:
        lines.append("These trials do not tell which settings mattered.")
    return lines


def flattery_line(found: Flattery) -> str:
    """Return how much the search flatters validation."""
    if found.repeats is None:
        seeds = f"the best of {found.trials:,} trials has no seed that could flatter it"
    else:
        gap = 100 * (found.best - found.repeats)
        gain = f"flatters it by {gap:.1f} points" if gap > 0 else "did not flatter it"
        seeds = (
            f"the best of {found.trials:,} trials has {found.best:.1%} on validation, and "
            f"{found.repeats:.1%} with other seeds: its seed {gain}"
        )
    return f"{seeds}; choosing among them adds about {100 * found.choice:.1f} more."


def simplest_lines(finalists: Sequence[Finalist], simplest: Finalist | None) -> list[str]:
    """Return which simpler head is within noise of the winner, if several were compared."""
    if simplest is not None:
        return [
            f"Within noise of the winner and simpler: {simplest.candidate.words()}. That is "
            "often the one to take."
        ]
    return ["No simpler head is within noise of the winner."] if len(finalists) > 1 else []
