"""A study's folder: what it searches, its journal, the table of its trials, its winner.

runs/study-<name>/
    study.json      what decides the trials, and the options that go on with it
    journal.log     every job, taken or done; see journal.py
    trials.csv      the finished jobs as a table, for people and spreadsheets
    result.json     the winner, and its run
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from features.corpus.source import HubName
from features.errors import CacheError, SettingError
from features.storage.files import make_folder, put
from pipeline.command_line import words_of
from pipeline.config import plain_values
from pipeline.runs.files.json_format import VERSION, JsonFormat, Values
from pipeline.search.candidate import Trial
from pipeline.search.config import SearchConfig
from pipeline.search.space import Arm, Space
from pipeline.spreadsheet import escaped

PREFIX = "study-"
STUDY, RESULT, TABLE = "study.json", "result.json", "trials.csv"
AGAIN = "remove the folder of the study, or begin another with --name"
KEPT_OPTIONS = (
    "space",
    "sampler",
    "repeats",
    "folds",
    "jobs",
    "seed",
    "device",
    "trials",
    "budget",
)
"""Options that a study keeps as they were given, besides those of texts and vectors."""

SHORT = 6
"""Hexadecimal digits of what decides the trials, in the name of a study."""


@dataclass(frozen=True)
class StudyDescription:
    """The contents of ``study.json``.

    Attributes:
        arguments: options of ``manyheads search`` that go on with the study.
        decided: what decides the trials: texts, split, arms, space, seed, sampler.
    """

    arguments: tuple[str, ...]
    decided: Values


@dataclass(frozen=True)
class NamedWinner:
    """The contents of ``result.json``.

    Attributes:
        candidate: the key of the candidate that was named.
        run: name of its run folder.
        looks: how often test texts were scored for this study: once for each winner.
        finalists: keys of the candidates that were compared, the winner first; () of version 1,
            as the next ones.
        repeats: seeds that each was trained with again.
        validation: how many texts validate.
        ended: why no more was tried; '' if all was.
        command: trains the winner again.
    """

    candidate: str
    run: str
    looks: int
    finalists: tuple[str, ...]
    repeats: int
    validation: int
    ended: str
    command: str


def _older(values: Values, version: int) -> Values:
    """Return the values of version 1 in the form of version 2."""
    lacking = {"finalists": [], "repeats": 0, "validation": 0, "ended": "", "command": ""}
    return {**values, **lacking}


STUDY_FORMAT = JsonFormat(StudyDescription, 1, AGAIN)
RESULT_FORMAT = JsonFormat(NamedWinner, 2, AGAIN, _older)


@dataclass(frozen=True)
class Study:
    """A study's folder, and what it is about."""

    folder: Path
    description: StudyDescription

    @property
    def name(self) -> str:
        """Return the name of its folder."""
        return self.folder.name

    def begin(self, joined: bool = False) -> None:
        """Write ``study.json``, or check that it says the same.

        Args:
            joined: whether this process only helps: the options stay those of the other.

        Raises:
            SettingError: the folder is of another study.
            CacheError: the folder cannot be read or written.
        """
        path = self.folder / STUDY
        if not path.exists():
            make_folder(self.folder)
            _put(path, asdict(self.description), 1)
            return
        known = STUDY_FORMAT.read(path)
        other = [
            key
            for key in self.description.decided
            if known.decided.get(key) != self.description.decided[key]
        ]
        if other:
            raise SettingError(
                f"{self.folder} is a study with other {', '.join(other)}: choose another "
                "--name, or leave --name out"
            )
        if not joined and known.arguments != self.description.arguments:  # such as more trials
            _put(path, asdict(self.description), 1)

    def named(self) -> NamedWinner | None:
        """Return the winner that was named before; None if there is none.

        Raises:
            DamagedFileError: the file is damaged.
        """
        return named_winner(self.folder)

    def name_winner(self, winner: NamedWinner) -> None:
        """Write ``result.json``, unless it says the same."""
        if winner != self.named():
            _put(self.folder / RESULT, asdict(winner), RESULT_FORMAT.version)

    def write_table(self, trials: Iterable[tuple[str, Trial]]) -> None:
        """Write ``trials.csv``, from kinds of jobs and the jobs."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(_row(kind, trial) for kind, trial in trials)
        put(self.folder, TABLE, stream.getvalue().encode("utf-8"))


COLUMNS = (
    "kind",
    "number",
    "head",
    "layout",
    "encoder",
    "layers",
    "settings",
    "seeds",
    "accuracy",
    "loss",
    "epochs",
    "parameters",
    "seconds",
    "stopped",
    "failed",
)
"""Of ``trials.csv``; accuracy and loss are of validation."""


def _row(kind: str, trial: Trial) -> list[Any]:
    candidate, outcome = trial.candidate, trial.outcome
    settings = " ".join(f"{name}={value}" for name, value in candidate.settings.items())
    cells = [
        kind,
        trial.number,
        candidate.head,
        candidate.layout,
        candidate.encoder,
        candidate.layers or "",
        settings,
        " ".join(map(str, trial.job.seeds)),
        outcome.accuracy if outcome.whole or outcome.stopped else "",
        outcome.to_dict()["loss"] if outcome.whole else "",
        outcome.epochs,
        outcome.parameters,
        outcome.seconds,
        outcome.stopped,
        outcome.failed,
    ]
    return escaped(cells)


def _put(path: Path, values: Values, version: int) -> None:
    text = json.dumps({VERSION: version, **values}, indent=2, ensure_ascii=False)
    put(path.parent, path.name, f"{text}\n".encode(errors="backslashreplace"))


def make_study(
    config: SearchConfig, corpus: str, digest: str, arms: Sequence[Arm], space: Space
) -> Study:
    """Return the study of a configuration, whose folder may exist.

    Args:
        corpus: name of the data.
        digest: of its texts, labels and sides.
    """
    vectors = plain_values(config.vectors)
    for name in ("cache", "devices", "memory", "encoder", "layers"):
        del vectors[name]
    decided = {
        "texts": digest,
        "split": [config.data.split, config.data.split_seed, config.data.columns.group],
        "vectors": vectors,
        "arms": [arm.name for arm in arms],
        "space": plain_values(replace(space, trials=None, keep=1)),
        "seed": config.seed,
    }
    if config.folds is not None:
        decided["folds"] = config.folds
    decided = json.loads(json.dumps(decided))
    text = json.dumps(decided, sort_keys=True)
    short = hashlib.sha256(text.encode()).hexdigest()[:SHORT]
    stem = "".join(letter if letter.isalnum() else "-" for letter in Path(corpus).stem)[:40]
    name = config.name or f"{stem.strip('-') or 'data'}-{short}"
    folder = config.runs / f"{PREFIX}{name}"
    return Study(folder, StudyDescription(tuple(arguments_of(config)), decided))


def named_winner(folder: Path) -> NamedWinner | None:
    """Return the winner of a study; None if none is named yet.

    Raises:
        DamagedFileError: the file is damaged.
    """
    path = folder / RESULT
    return RESULT_FORMAT.read(path) if path.exists() else None


def as_study(name: str, runs: Path) -> Path | None:
    """Return the folder of a study: a path, or a name with or without ``study-``.

    None if there is no such study.
    """
    for folder in (Path(name), runs / name, runs / f"{PREFIX}{name}"):
        if (folder / STUDY).is_file():
            return folder
    return None


def find_study(name: str, runs: Path) -> Path:
    """Return the folder of a study, as ``as_study`` finds it.

    Raises:
        CacheError: there is no such study.
    """
    found = as_study(name, runs)
    if found is not None:
        return found
    known = sorted(path.parent.name for path in runs.glob(f"{PREFIX}*/{STUDY}"))
    there = f"; there are: {', '.join(known[:5])}" if known else ""
    raise CacheError(f"no study {name!r} in {runs}{there}; begin one with: manyheads search")


def arguments_of(config: SearchConfig) -> list[str]:
    """Return the options of ``manyheads search`` that give a configuration again, anywhere."""
    data, vectors = config.data, config.vectors
    if not isinstance(data.data, HubName):
        data = replace(data, data=data.data.absolute())
    vectors = replace(vectors, cache=vectors.cache.absolute())
    words = [*words_of(data), *words_of(vectors)]
    for flag, values in (
        ("--encoder", config.encoders),
        ("--layers", config.layer_choices),
        ("--heads", config.heads),
        ("--layout", config.layouts),
    ):
        words += [f"{flag}={value}" for value in values]
    usual = SearchConfig()
    for name in KEPT_OPTIONS:
        value = getattr(config, name)
        if value != getattr(usual, name):
            shown = (
                str(Path(value).absolute())
                if name == "space" and Path(value).exists()
                else value
            )
            words.append(f"--{name}={shown}")
    return words
