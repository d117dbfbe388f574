"""``manyheads report STUDY``: the page of a study.

the folder -> record -> facts, charts, tables -> template -> one HTML file
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from features.messages import many
from pipeline.command_line import as_typed
from pipeline.config import ExperimentConfig
from pipeline.console import one_line
from pipeline.evaluation.baselines import BASELINE_NAMES
from pipeline.evaluation.result import Scores
from pipeline.pages.figures.parallel import Parallel, parallel
from pipeline.pages.figures.study_charts import (
    heads_of,
    luck_chart,
    repeats_chart,
    scored,
    setting_charts,
    time_chart,
)
from pipeline.pages.run_report import render_page, score_cells
from pipeline.progress import duration
from pipeline.reports.verdict import score_lines
from pipeline.runs.folder import METRICS
from pipeline.runs.reader import read_scores
from pipeline.search.candidate import BASELINES, Candidate, Trial, seconds_used
from pipeline.search.records.record import StudyRecord
from pipeline.search.records.study import PREFIX
from pipeline.search.report import flattery_line, simplest_lines

MOST_TRIALS = 2000
"""Of the table: the best."""

MOST_SHARES, MOST_SETTINGS = 12, 6
"""Settings in the table of those that mattered, and of these with a chart."""


@dataclass(frozen=True)
class TrialRow:
    """A row of the table of trials; accuracy and loss are None of one that has none."""

    number: int
    head: str
    vectors: str
    settings: str
    accuracy: float | None
    loss: float | None
    seconds: float
    epochs: int
    parameters: int
    state: str


def study_page(record: StudyRecord) -> str:
    """Return the page of a study."""
    scores = _scores(record)
    headline, lines = _told(record, scores)
    trials, shares = record.trials, record.shares
    finalists = record.finalists
    test = scores.test.accuracy if scores and scores.test.enough else None
    rows = _rows(trials)
    return render_page(
        "report/study.html",
        {"labels": [], "order": []},
        title=f"{record.name}: {many(len(trials), 'trial')} on {_data(record)}",
        headline=headline,
        lines=lines,
        facts=list(_facts(record)),
        scores=score_cells(scores) if scores else [],
        finalists=finalists,
        goal=record.goal,
        flattery=record.flattery,
        repeats=repeats_chart(finalists),
        luck=luck_chart(record.luck, _repeated(record), test),
        time=time_chart(trials),
        shares=shares[:MOST_SHARES],
        settings=setting_charts(trials, shares, MOST_SETTINGS),
        parallels=_parallels(record),
        rows=rows[:MOST_TRIALS],
        trials=len(rows),
        commands=[(what, as_typed(command)) for what, command in _commands(record)],
    )


def _scores(record: StudyRecord) -> Scores | None:
    """Return the scores of the winner's run; None without a winner, or where it is gone."""
    run = record.run
    return read_scores(run) if run is not None and (run / METRICS).is_file() else None


def _told(record: StudyRecord, scores: Scores | None) -> tuple[str, list[str]]:
    """Return who won in words, and how far that is to be believed."""
    count = many(len(record.trials), "trial")
    if record.named is None:
        return "No winner is named yet.", [
            f"{count} so far. The command that began the study goes on with it, trains the "
            "best again with other seeds, and then looks at test."
        ]
    winner = record.named.run
    if record.finalists:
        first = record.finalists[0].candidate
        winner = f"{first.head} on {first.layout} vectors"
    lines = [*score_lines(scores)] if scores else []
    if not scores:
        lines.append(f"Its run {record.named.run} is not in {record.folder.parent}.")
    if record.flattery is not None:
        told = flattery_line(record.flattery)
        lines.append(f"{told[0].upper()}{told[1:]}")
    lines += simplest_lines(record.finalists, record.simplest)
    looks = record.named.looks
    lines.append(
        "Test was looked at once, by the winner."
        if looks == 1
        else f"Test was looked at {looks} times, since the study went on after a winner."
    )
    return f"The best of {count}: {winner}", lines


def _facts(record: StudyRecord) -> Iterator[tuple[str, str]]:
    """Yield what was searched: what is told, and what it was."""
    trials = record.trials
    stopped = sum(trial.outcome.stopped for trial in trials)
    failed = sum(bool(trial.outcome.failed) for trial in trials)
    if record.finalists:
        yield "settings of the winner", _settings(record.finalists[0].candidate) or "its own"
    yield "data", _data(record)
    if record.texts:
        folds = record.description.decided.get("folds")
        how = f", each in one of {folds} inner folds" if folds else ""
        yield "chosen by", f"{record.goal} on {many(record.texts, 'validation text')}{how}"
    yield "heads", ", ".join(heads_of(scored(trials))) or "none yet"
    ended = record.named.ended if record.named else ""
    yield (
        "trials",
        f"{len(trials):,}"
        + (f", {stopped:,} of them stopped early" if stopped else "")
        + (f", {failed:,} failed" if failed else "")
        + (f"; ended: {ended}" if ended else ""),
    )
    used = seconds_used([*trials, *record.repeats])
    yield "training", f"{duration(used)}, {many(len(record.repeats), 'repeat')} included"
    yield "seed", str(record.seed)


def _data(record: StudyRecord) -> str:
    """Return the name of the data."""
    words = record.description.arguments
    named = [words[i + 1] for i, word in enumerate(words[:-1]) if word == "--data"]
    named += [word.partition("=")[2] for word in words if word.startswith("--data=")]
    return one_line(Path(named[0]).name) if named else "the example corpus"


def _repeated(record: StudyRecord) -> float | None:
    """Return the mean of the winner with other seeds; None if no seed changes it."""
    found = record.finalists
    return found[0].mean if found and found[0].repeated else None


def _parallels(record: StudyRecord) -> list[Parallel]:
    """Return the parallel coordinates of each head, those of the best one first."""
    known = scored(record.trials)
    best = {
        head: max(t.outcome.accuracy for t in known if t.candidate.head == head)
        for head in heads_of(known)
    }
    drawn = (
        parallel(head, [t for t in known if t.candidate.head == head], record.shares)
        for head in sorted(best, key=lambda head: -best[head])
    )
    return [each for each in drawn if each is not None]


def _rows(trials: Sequence[Trial]) -> list[TrialRow]:
    """Return the rows of the table of trials, the most accurate first."""
    rows = []
    for number, trial in enumerate(trials, start=1):
        candidate, outcome = trial.candidate, trial.outcome
        settings = _settings(candidate)
        where = [candidate.layout, f"layers {candidate.layers}" if candidate.layers else ""]
        state = f"failed: {one_line(outcome.failed)}" if outcome.failed else ""
        state = f"stopped after epoch {len(outcome.curve)}" if outcome.stopped else state
        scores = outcome.accuracy, outcome.loss
        plain = candidate.head in BASELINES
        rows.append(
            TrialRow(
                number,
                BASELINE_NAMES.get(candidate.head, candidate.head),
                ", ".join(each for each in where if each),
                settings or ("" if plain else "as the head has them"),
                None if outcome.failed else scores[0],
                None if plain or not outcome.whole else scores[1],
                outcome.seconds,
                outcome.epochs or len(outcome.curve),
                outcome.parameters,
                state,
            )
        )
    return sorted(rows, key=lambda row: (row.accuracy is None, -(row.accuracy or 0.0)))


def _settings(candidate: Candidate) -> str:
    """Return the settings of a candidate in a line."""
    return ", ".join(
        f"{name} = {f'{value:.4g}' if isinstance(value, float) else value}"
        for name, value in candidate.settings.items()
    )


def _commands(record: StudyRecord) -> Iterator[tuple[str, str]]:
    """Yield what a command does, and the command."""
    short = record.name.removeprefix(PREFIX)
    runs = record.folder.parent
    place = [] if runs == ExperimentConfig().runs else ["--runs", str(runs)]
    again = [*record.description.arguments, "--name", short, *place]
    yield "go on with the study", shlex.join(["manyheads", "search", *again])
    yield "help with it", shlex.join(["manyheads", "search", "--join", short, *place])
    if record.named is None:
        return
    run = record.named.run
    if record.named.command:
        yield "train the winner again", record.named.command
    yield (
        "label a text",
        shlex.join(["manyheads", "predict", run, "--text", "a text of yours", *place]),
    )
    yield "see the winner's run", shlex.join(["manyheads", "report", run, *place])
    yield (
        "compare it with another run",
        shlex.join(["manyheads", "compare", record.name, "RUN", *place]),
    )
