"""A study as its folder tells it, for people: what was tried, what came of it, who won."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from pipeline.search.candidate import ACCURACY, Trial, deterministic
from pipeline.search.judging.finalists import Finalist, compare, next_simplest
from pipeline.search.judging.flattery import Flattery, Luck, flattery, luck_curve
from pipeline.search.judging.shares import Share, shares
from pipeline.search.records.journal import DRAWN, REPEATS, SIMPLE
from pipeline.search.records.reading import read_trials
from pipeline.search.records.study import (
    STUDY,
    STUDY_FORMAT,
    NamedWinner,
    StudyDescription,
    named_winner,
)


@dataclass(frozen=True, eq=False)
class StudyRecord:
    """A study that was read.

    Attributes:
        folder: its folder.
        description: what decides its trials, and the options that go on with it.
        trials: finished simple and drawn trials, in the order in which they ended.
        repeats: the finalists again, with other seeds.
        named: its winner; None if none is named yet.
    """

    folder: Path
    description: StudyDescription
    trials: tuple[Trial, ...]
    repeats: tuple[Trial, ...]
    named: NamedWinner | None

    @property
    def name(self) -> str:
        """Return the name of its folder."""
        return self.folder.name

    @property
    def run(self) -> Path | None:
        """Return the folder of the winner's run; it may have been moved."""
        return None if self.named is None else self.folder.parent / self.named.run

    @property
    def goal(self) -> str:
        """Return what the best trial has the best of."""
        space = self.description.decided.get("space")
        return str(space.get("wins", ACCURACY)) if isinstance(space, dict) else ACCURACY

    @cached_property
    def texts(self) -> int:
        """Return how many texts validate; 0 where no trial tells."""
        known = self.named.validation if self.named else 0
        return known or count_texts([*self.trials, *self.repeats])

    @cached_property
    def finalists(self) -> tuple[Finalist, ...]:
        """Return the finalists, the winner first; () if none is named, or by version 1."""
        if self.named is None or not self.named.finalists or not self.texts:
            return ()
        wanted = self.named.finalists
        chosen: dict[str, Trial] = {}
        for trial in self.trials:
            key = trial.candidate.key
            if key in wanted and trial.outcome.whole:
                chosen.setdefault(key, trial)
        again: dict[str, list[Trial]] = {key: [] for key in chosen}
        for trial in self.repeats:
            key = trial.candidate.key
            if key in chosen and trial.outcome.whole:
                first = max(chosen[key].job.seeds)
                if trial.job.seeds[0] - first <= self.named.repeats:
                    again[key].append(trial)
        sound = [t for key, t in chosen.items() if again[key] or deterministic(t.candidate)]
        found = compare(sound, again, self.goal, self.texts) if sound else []
        return tuple(found)

    @property
    def simplest(self) -> Finalist | None:
        """Return the simplest head within noise of the winner; None if there is none."""
        return next_simplest(self.finalists) if self.finalists else None

    @property
    def flattery(self) -> Flattery | None:
        """Return how much the search flatters validation; None before it has finalists."""
        if not self.finalists:
            return None
        return flattery(self.trials, self.finalists, self.goal, self.texts, self.seed)

    @property
    def luck(self) -> Sequence[Luck]:
        """Return what choosing the best of 1, 2, ... trials is worth."""
        return luck_curve(self.trials, self.goal, self.texts, self.seed) if self.texts else ()

    @property
    def shares(self) -> Sequence[Share]:
        """Return which settings mattered, the largest share first."""
        return shares(self.trials)

    @property
    def seed(self) -> int:
        """Return the seed of the study."""
        seed = self.description.decided.get("seed")
        return seed if isinstance(seed, int) else 0


def read_record(folder: Path) -> StudyRecord:
    """Read a study.

    Raises:
        SettingError: Optuna is not installed.
        CacheError: a file of the study is missing or damaged, or of a newer version.
    """
    description = STUDY_FORMAT.read(folder / STUDY)
    found = read_trials(folder)
    trials = sorted(
        [*found.get(SIMPLE, ()), *found.get(DRAWN, ())], key=lambda each: each.outcome.ended
    )
    return StudyRecord(
        folder,
        description,
        tuple(trials),
        tuple(found.get(REPEATS, ())),
        named_winner(folder),
    )


def count_texts(trials: Sequence[Trial]) -> int:
    """Return how many texts validate, from the answers: those that are right over their share.

    0 where no trial was trained to the end with a right answer.
    """
    for trial in trials:
        rows = [np.frombuffer(base64.b64decode(each), np.uint8) for each in trial.outcome.right]
        right = sum(int(np.unpackbits(row).sum()) for row in rows)
        if right:
            return round(right / trial.outcome.accuracy / len(rows))
    return 0
