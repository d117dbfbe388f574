"""``manyheads show RUN``: what a run is, what its files are for, and what to do with it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.errors import CacheError
from heads.registry import HEADS, as_text
from pipeline.config import ExperimentConfig
from pipeline.console import one_line, table
from pipeline.evaluation.result import BLEND_NAME, BlendResult, Scores
from pipeline.overview.run_facts import RunFacts, age_text, first_config, read_facts
from pipeline.reports.report import score_table
from pipeline.runs.folder import run_label
from pipeline.runs.reader import read_scores
from pipeline.runs.run_config import RunConfig

FILES: dict[tuple[str, ...], str] = {
    ("report.txt",): "all tables of the training",
    ("report.html",): "the run as a page for the browser; manyheads report writes it",
    ("metrics.json",): "every score, with intervals and baselines",
    ("errors.jsonl",): "the wrongly labelled test texts, the surest first",
    ("confusion.png", "classes.csv"): "which classes are taken for which; F1 of each",
    ("curves.png", "history.jsonl"): "loss and accuracy while it learned",
    ("diagnostics.json",): "measured while it learned; manyheads doctor reads it",
    ("doctor.json",): "what the doctor found; manyheads doctor writes it",
    ("calibration.png",): "whether its confidence agrees with its accuracy",
    ("predictions.parquet", "probabilities.parquet"): "held-out texts; blend reads them",
    ("head.safetensors", "head.json"): "the trained head; predict reads it",
    ("blend.json", "parts"): "the runs that are blended, and how; predict reads them",
    ("training.parquet", "reference.safetensors"): "what it learned from; predict reads them",
    ("config.json", "environment.json"): "everything needed to repeat the run",
}
"""What the files of a run are for, those to look at first at the top."""

EVENTS = "events.out.tfevents"
EVENTS_PURPOSE = "for tensorboard --logdir"


@dataclass(frozen=True, eq=False)
class RunPage:
    """What ``manyheads show`` says of a run.

    Attributes:
        folder: of the run.
        label: the name by which commands find it.
        runs: the folder of runs.
        facts: what it is.
        scores: all of them.
        config: what was asked for; of a blend, for its first part.
    """

    folder: Path
    label: str
    runs: Path
    facts: RunFacts
    scores: Scores
    config: RunConfig
    exit_code: int = 0

    @property
    def changed(self) -> dict[str, str]:
        """Return the settings of its head that differ from the head's defaults."""
        kind = HEADS.get(self.facts.head)
        if kind is None:  # a blend, or a head of a newer version
            return {}
        used = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in self.config.resolved.settings.items()
        }
        return {
            name: as_text(used[name])
            for name, field in kind.settings.model_fields.items()
            if name in used and used[name] != field.default
        }

    @property
    def files(self) -> dict[tuple[str, ...], str]:
        """Return the files of its folder, those of one purpose together, and their purpose."""
        names = {path.name for path in self.folder.iterdir()}
        found = {
            tuple(name for name in together if name in names): purpose
            for together, purpose in FILES.items()
            if names & set(together)
        }
        names -= {name for together in FILES for name in together}
        events = {name for name in names if name.startswith(EVENTS)}
        if events:
            found[*sorted(events),] = EVENTS_PURPOSE
        others = tuple(sorted(names - events))
        return {**found, **({others: "written by another version"} if others else {})}

    @property
    def commands(self) -> list[str]:
        """Return the commands that take it further."""
        name = shlex.quote(self.label)
        place = (
            ""
            if self.runs == ExperimentConfig.runs
            else f" --runs {shlex.quote(str(self.runs))}"
        )
        found = [
            f'manyheads predict {name} --text "..."{place}',
            f"manyheads report {name}{place}",
            f"manyheads export-model {name} --out model{place}",
        ]
        if self.facts.head != BLEND_NAME:
            other = "attention" if self.facts.head != "attention" else "cnn"
            data = shlex.quote(self.facts.data)
            found += [
                f"manyheads train --data {data} --head {other} --split-of {name}{place}",
                f"manyheads blend {name} OTHER{place}",
            ]
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        return {
            **self.facts.to_dict(),
            "folder": str(self.folder),
            "baselines": self.scores.to_dict()["baselines"],
            "settings": self.changed,
            "files": {name: purpose for names, purpose in self.files.items() for name in names},
            "commands": self.commands,
        }

    def to_text(self) -> str:
        """Return the page for people."""
        blocks = [
            self._about(),
            [score_table(self.scores.rows)],
            ["Files in " + str(self.folder), table((), self._file_rows(), align="<<<")],
            ["Next", *(f"  {each}" for each in self.commands)],
        ]
        return "\n\n".join("\n".join(block) for block in blocks)

    def _about(self) -> list[str]:
        facts, resolved = self.facts, self.config.resolved
        rows = resolved.rows
        texts = rows.train + rows.validation + rows.test
        what = f"a {facts.head} head on {facts.layout} vectors"
        if isinstance(self.scores, BlendResult):
            parts = ", ".join(f"{part.run} ({part.head})" for part in self.scores.parts)
            what = f"a blend of {parts}"
        lines = [
            f"{self.label}: {what}, {age_text(facts.age)} old",
            f"data: {one_line(facts.data)}, {texts:,} texts, {len(resolved.classes)} classes; "
            f"{rows.train:,} to train, {rows.validation:,} to validate, {rows.test:,} to test",
            f"encoder: {facts.encoder}",
        ]
        changed = " ".join(f"{name}={value}" for name, value in self.changed.items())
        if facts.head != BLEND_NAME:
            lines.append(f"settings: {one_line(changed) or 'all as they are by default'}")
        return lines

    def _file_rows(self) -> list[tuple[str, str, str]]:
        rows = []
        for names, purpose in self.files.items():
            several = names[0].startswith(EVENTS)
            rows.append(("", f"{EVENTS}..." if several else ", ".join(names), purpose))
        return rows


def show_run(folder: Path, runs: Path) -> RunPage:
    """Return the page of a finished run.

    Args:
        folder: of the run.
        runs: the folder of runs.

    Raises:
        CacheError: the run is damaged.
    """
    facts = read_facts(folder)
    try:
        label = run_label(folder, runs)
    except OSError as error:
        raise CacheError(f"{folder} cannot be read ({error.strerror})") from error
    return RunPage(folder, label, runs, facts, read_scores(folder), first_config(folder))
