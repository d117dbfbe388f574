"""The runs on the same texts and sides: their order by validation, and their pairs on test.

Pure: what the runs predict comes in, and numbers go out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from heads.evaluation.metrics import log_loss
from heads.evaluation.paired import Paired, holm, paired, paired_seeds
from pipeline.comparison.compared_run import ComparedRun
from pipeline.evaluation.evaluation import Difference, Evaluation, difference
from pipeline.runs.files.held_out import HeldOutPredictions

LEVEL = 0.05
"""Two runs differ if the corrected p-value is below this."""

MIN_PROBABILITY = 1e-12
"""Smallest probability in the log loss; float32 may hold it as 0."""


@dataclass(frozen=True, eq=False)
class Standing:
    """A run in its group.

    Attributes:
        run: the run.
        held_out: its predictions.
        behind: its validation accuracy minus that of the first, over the same texts.
    """

    run: ComparedRun
    held_out: HeldOutPredictions
    behind: Difference

    @property
    def within_noise(self) -> bool:
        """Whether validation does not tell it from the best."""
        return self.behind.interval[1] >= 0

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        scores, facts = self.run.scores, self.run.facts
        return {
            "run": self.run.name,
            "head": facts.head,
            "layout": self.run.layout,
            "encoder": facts.encoder,
            "validation": asdict(scores.validation),
            "behind": asdict(self.behind),
            "within_noise": self.within_noise,
            "chosen": self.run.chosen or None,
            "test": asdict(scores.test),
            "over_seeds": asdict(scores.over_seeds) if scores.over_seeds else None,
            "calibration_error": scores.calibration.error_after,
            "calibration_error_by_chance": scores.calibration.error_by_chance,
            **asdict(self.run.cost),
        }


@dataclass(frozen=True)
class Pair:
    """Two runs of a group on the same test texts.

    Attributes:
        first, second: their numbers in the group, from 0.
        heads: the heads in the run folders; with folds, those of all folds.
        p_corrected: by Holm's method, over the pairs of the group.
        over_seeds: difference of the mean accuracies over the seeds of both, with its interval;
            None where one of them has one seed, or with folds.
    """

    first: int
    second: int
    heads: Paired
    p_corrected: float
    over_seeds: Difference | None

    @property
    def beyond_chance(self) -> bool:
        """Whether the test texts tell the two apart."""
        return self.p_corrected < LEVEL


def same_texts(held_out: HeldOutPredictions) -> tuple[object, ...]:
    """Return what two runs have in common if they held out the same texts, fold by fold."""
    sides = [(fold.validation.rows, fold.test.rows) for fold in held_out.folds]
    return (
        held_out.corpus_digest,
        *(rows.tobytes() for fold in sides for rows in fold),
    )


def rank(runs: Sequence[ComparedRun]) -> tuple[Standing, ...]:
    """Return runs of one group, the best on validation first: by accuracy, then by loss."""
    known = [(run, run.held_out) for run in runs if run.held_out is not None]

    def order(one: tuple[ComparedRun, HeldOutPredictions]) -> tuple[float, float]:
        return -one[0].scores.validation.accuracy, _loss(one[1].validation)

    known.sort(key=order)
    first = known[0][1].validation
    return tuple(
        Standing(run, held_out, difference(held_out.validation, first))
        for run, held_out in known
    )


def _loss(side: Evaluation) -> float:
    return log_loss(side.labels, np.log(np.maximum(side.probabilities, MIN_PROBABILITY)))


def compare_pairs(runs: Sequence[Standing], every: bool) -> tuple[Pair, ...]:
    """Compare the runs of a group on test, with p-values corrected for the number of pairs.

    Args:
        runs: R of them, in their order.
        every: whether all pairs are compared, or each run with the first alone.
    """
    numbers = list(combinations(range(len(runs)), 2))
    if not every:
        numbers = [pair for pair in numbers if pair[0] == 0]
    rights = [run.held_out.test.right for run in runs]
    found = [paired(rights[one], rights[other]) for one, other in numbers]
    corrected = holm([each.p for each in found])
    return tuple(
        Pair(one, other, heads, p, _over_seeds(runs[one].held_out, runs[other].held_out))
        for (one, other), heads, p in zip(numbers, found, corrected, strict=True)
    )


def _over_seeds(one: HeldOutPredictions, other: HeldOutPredictions) -> Difference | None:
    if one.fold_count or other.fold_count:
        return None
    rights = [
        np.array([training.test.right for training in each.trainings]) for each in (one, other)
    ]
    found = paired_seeds(*rights)
    return None if found is None else Difference(*found)
