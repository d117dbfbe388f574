"""Judge a search by its own answers on validation. Pure functions.

    trials -> finalists -> trained again with other seeds -> compared paired -> the winner

How much the search flatters validation is estimated twice. The best trial had luck with its
seed, which its repeats take away. And it was chosen by these very texts: the bootstrap chooses
among all trials on drawn texts, and scores the choice on the texts that were not drawn
(Tsamardinos et al., Bootstrapping the out-of-sample predictions, Machine Learning, 2018).
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

RESAMPLES = 400
"""Bootstrap samples of the validation texts."""

MIN_TRIALS = 8
"""Trials of a head from which the share of a setting is told."""

GROUPS, MANY_GROUPS, MANY = 3, 5, 24
"""Groups of as many trials each into which a setting with many values is cut; and the trials
from which there are more groups."""

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


@dataclass(frozen=True)
class Flattery:
    """How much higher validation is than the truth, because the best was chosen on it.

    Attributes:
        best: validation accuracy of the best trial of the search.
        repeats: mean of the repeats of that very candidate; None: no seed changes it.
        trials: how many the best was chosen from.
        choice: mean, over bootstrap samples, of the accuracy by which a trial is chosen less
            its accuracy on the other texts.
    """

    best: float
    repeats: float | None
    trials: int
    choice: float


@dataclass(frozen=True)
class Share:
    """What a setting has to do with the accuracy of the trials.

    Attributes:
        head: whose setting it is; '' for the choice of head and vectors.
        setting: its name.
        share: of the variance among trials that its values explain, in [0, 1], beyond chance.
        best: the value, or values, of the trials that did best.
        trials: how many there were.
    """

    head: str
    setting: str
    share: float
    best: str
    trials: int


def simplicity(trial: Trial) -> tuple[int, int]:
    """Return the place of a trial's head in the registry, the quickest first, and its size."""
    return list(HEADS).index(trial.candidate.head), trial.outcome.parameters


def finalists(trials: Sequence[Trial], keep: int, goal: str, texts: int) -> list[Trial]:
    """Return the trials that are worth repeats, the best first.

    These are the best, and the simplest head that these texts do not tell from the best.

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
    if simplest is not None and simplest not in chosen:
        chosen.append(simplest)
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


def flattery(
    trials: Sequence[Trial], found: Sequence[Finalist], goal: str, texts: int, seed: int = 0
) -> Flattery:
    """Return how much the search flatters validation.

    Args:
        trials: simple and drawn ones.
        found: the finalists.
        seed: of the bootstrap.
    """
    whole = ordered(trials, goal)
    heads = [each for each in whole if each.candidate.head not in BASELINES]
    best = heads[0]
    again = [one for one in found if one.candidate == best.candidate and one.repeated]
    shares = np.array([each.outcome.answers(texts).mean(axis=0) for each in heads])
    counts = np.random.default_rng(seed).multinomial(
        texts, np.full(texts, 1 / texts), size=RESAMPLES
    )
    drawn = counts @ shares.T / texts
    left = (counts == 0).astype(np.float64)
    others = left @ shares.T / np.maximum(1.0, left.sum(axis=1, keepdims=True))
    chosen = drawn.argmax(axis=1)
    rows = np.arange(RESAMPLES)
    choice = float((drawn[rows, chosen] - others[rows, chosen]).mean())
    return Flattery(
        best.outcome.accuracy, again[0].mean if again else None, len(heads), max(0.0, choice)
    )


def shares(trials: Sequence[Trial]) -> list[Share]:
    """Return which settings mattered, the largest share first.

    For each setting of a head, omega squared of its values (large ranges in groups).
    """
    usable = [
        trial
        for trial in trials
        if not trial.outcome.failed and trial.candidate.head not in BASELINES
    ]
    by_arm = [f"{t.candidate.head} on {t.candidate.layout}" for t in usable]
    found = [_share("", "head and layout", usable, by_arm)] if len(set(by_arm)) > 1 else []
    for head in HEADS:
        own = [trial for trial in usable if trial.candidate.head == head]
        names = dict.fromkeys(name for trial in own for name in trial.candidate.settings)
        for name in names:
            having = [trial for trial in own if name in trial.candidate.settings]
            values = [trial.candidate.settings[name] for trial in having]
            if len(set(values)) > 1:
                found.append(_share(head, name, having, values))
    known = [each for each in found if each is not None and each.share > 0]
    return sorted(known, key=lambda each: -each.share)


def _share(
    head: str, setting: str, trials: Sequence[Trial], values: Sequence[object]
) -> Share | None:
    """Return the share of a setting; None where there are too few trials to tell."""
    groups, names = _grouped(values)
    count = len(names)
    if len(trials) < max(MIN_TRIALS, count + 2):
        return None
    scores = np.array([trial.outcome.accuracy for trial in trials])
    total = float(((scores - scores.mean()) ** 2).sum())
    parts = [scores[groups == i] for i in range(count)]
    within = sum(float(((part - part.mean()) ** 2).sum()) for part in parts)
    noise = within / (len(scores) - count)
    if total <= 0:
        return None
    share = (total - within - (count - 1) * noise) / (total + noise)
    best = names[int(np.argmax([part.mean() for part in parts]))]
    return Share(head, setting, float(np.clip(share, 0, 1)), best, len(trials))


def _grouped(values: Sequence[object]) -> tuple[np.ndarray, list[str]]:
    """Return (n,) int64 groups of values, and what each group is called."""
    numbers = [each for each in values if type(each) in (int, float)]
    distinct = sorted(set(values), key=lambda each: (str(type(each)), each))
    if len(distinct) <= MANY_GROUPS or len(numbers) < len(values):
        index = {value: i for i, value in enumerate(distinct)}
        return np.array([index[each] for each in values]), [str(each) for each in distinct]
    column = np.array(numbers, np.float64)
    parts = MANY_GROUPS if len(column) >= MANY else GROUPS
    edges = np.quantile(column, np.arange(1, parts) / parts)
    groups = np.unique(np.searchsorted(edges, column), return_inverse=True)[1]
    names = [
        f"{column[groups == i].min():.3g} to {column[groups == i].max():.3g}"
        for i in range(int(groups.max()) + 1)
    ]
    return groups, names


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
