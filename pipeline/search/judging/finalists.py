"""Judge a search by its own answers on validation: its finalists, and the winner. Pure.

trials -> finalists -> trained again with other seeds -> compared paired -> the winner
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from heads.evaluation.metrics import answers_differ
from heads.evaluation.paired import paired_seeds
from heads.registry import HEADS
from pipeline.search.candidate import (
    ACCURACY,
    BASELINES,
    Candidate,
    Job,
    Trial,
    ordered,
    rank,
)

PLATEAU = 40
"""Trials in a row without an improvement beyond noise, after which a search may end."""


@dataclass(frozen=True)
class Finalist:
    """A candidate that was trained again.

    Attributes:
        candidate: its head and settings.
        search: its validation accuracy in the search.
        seeds: accuracies of its repeats; of a head without chance, that of the search.
        loss: mean over them.
        parameters: learned numbers.
        repeated: whether it was trained again: no seed changes a head without chance.
        difference: mean accuracy less that of the winner, on the same texts; 0 for the winner.
        interval: its 95 % interval, as texts and seeds vary.
    """

    candidate: Candidate
    search: float
    seeds: tuple[float, ...]
    loss: float
    parameters: int
    repeated: bool
    difference: float = 0.0
    interval: tuple[float, float] = (0.0, 0.0)

    @property
    def mean(self) -> float:
        """Return the mean accuracy of its repeats."""
        return float(np.mean(self.seeds))

    @property
    def within_noise(self) -> bool:
        """Return whether it is not told from the winner."""
        return self.interval[1] >= 0.0


def simplicity(trial: Trial) -> tuple[int, int]:
    """Return the place of a trial's head in the registry, the quickest first, and its size."""
    return list(HEADS).index(trial.candidate.head), trial.outcome.parameters


def finalists(trials: Sequence[Trial], keep: int, goal: str, texts: int) -> list[Trial]:
    """Return the trials that are worth repeats, the best first.

    These are the best, the best with the default settings of its head, and the simplest head
    that these texts do not tell from the best.

    Args:
        trials: simple and drawn ones.
        keep: how many of the best.
        goal: what the best has the most of.
        texts: how many validate.
    """
    heads = [each for each in ordered(trials, goal) if each.candidate.head not in BASELINES]
    chosen = heads[:keep]
    if not chosen:
        return []
    best = chosen[0].outcome.answers(texts)[0]
    first: dict[str, Trial] = {}
    for trial in heads:
        first.setdefault(trial.candidate.head, trial)
    alike = [
        trial
        for trial in first.values()
        if simplicity(trial) < simplicity(chosen[0])
        and not answers_differ(trial.outcome.answers(texts)[0], best)
    ]
    simplest = min(alike, key=simplicity, default=None)
    usual = next((trial for trial in heads if not trial.candidate.settings), None)
    for other in (usual, simplest):
        if other is not None and other not in chosen:
            chosen.append(other)
    return chosen


def repeat_jobs(trial: Trial, repeats: int) -> list[Job]:
    """Return the repeats of a trial, with the seeds after its own."""
    first = max(trial.job.seeds) + 1
    return [Job(trial.candidate, (first + i,)) for i in range(repeats)]


def compare(
    chosen: Sequence[Trial], repeats: Mapping[str, Sequence[Trial]], goal: str, texts: int
) -> list[Finalist]:
    """Return the finalists, the winner first, each compared with it on the same texts.

    Args:
        chosen: trials of the search.
        repeats: by key of the candidate, the repeats that were trained to the end.
        goal: what the winner has the best mean of, over the repeats.
        texts: how many validate.
    """
    found, answers = [], {}
    for trial in chosen:
        again = repeats.get(trial.candidate.key, ())
        scored = again or (trial,)
        rows = np.concatenate([each.outcome.answers(texts) for each in scored])
        answers[trial.candidate.key] = rows if len(rows) > 1 else np.repeat(rows, 2, axis=0)
        found.append(
            Finalist(
                trial.candidate,
                trial.outcome.accuracy,
                tuple(float(row.mean()) for row in rows),
                float(np.mean([each.outcome.loss for each in scored])),
                trial.outcome.parameters,
                bool(again),
            )
        )
    found.sort(key=lambda one: (-one.mean if goal == ACCURACY else one.loss, one.parameters))
    winner = answers[found[0].candidate.key]
    return [found[0], *(_against(one, answers[one.candidate.key], winner) for one in found[1:])]


def _against(one: Finalist, own: np.ndarray, winner: np.ndarray) -> Finalist:
    compared = paired_seeds(own, winner)
    assert compared is not None  # two rows at least
    values = {**vars(one), "difference": compared[0], "interval": compared[1]}
    return Finalist(**values)


def next_simplest(found: Sequence[Finalist]) -> Finalist | None:
    """Return the simplest finalist of a simpler head than the winner's, within noise of it."""
    order = list(HEADS)
    place = order.index(found[0].candidate.head)
    simpler = [
        one for one in found[1:] if one.within_noise and order.index(one.candidate.head) < place
    ]
    return min(simpler, key=lambda one: order.index(one.candidate.head), default=None)


def stalled(trials: Sequence[Trial], goal: str, texts: int) -> bool:
    """Return whether the last drawn trials did not improve validation beyond noise.

    Args:
        trials: simple and drawn ones, in the order in which they ended.
    """
    best: Trial | None = None
    since = 0
    for trial in trials:
        since += 1
        if not trial.outcome.whole:
            continue
        if best is None or (
            rank(trial, goal) > rank(best, goal)
            and answers_differ(trial.outcome.answers(texts)[0], best.outcome.answers(texts)[0])
        ):
            best, since = trial, 0
    return since >= PLATEAU
