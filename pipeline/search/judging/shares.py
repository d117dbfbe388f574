"""Which settings mattered: the share of each in the variance among trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from heads.registry import HEADS
from pipeline.search.candidate import BASELINES, Trial

MIN_TRIALS = 8
"""Trials of a head from which the share of a setting is told."""

GROUPS, MANY_GROUPS, MANY = 3, 5, 24
"""Groups of as many trials each into which a setting with many values is cut; and the trials
from which there are more groups."""


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
