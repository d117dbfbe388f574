"""Blend runs: the mean of the probabilities that several finished runs give a text.

    p = softmax(log((p_1 + ... + p_R) / R) / T)

Runs over different vectors make errors on different texts, and a mean of probabilities makes
fewer (Lakshminarayanan et al., Simple and scalable predictive uncertainty estimation, NeurIPS
2017). All runs have the same weight. Only the temperature T is fitted, on validation as for a
head: the mean of confident predictions that disagree is not confident enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from features.errors import SettingError
from heads.evaluation.calibration import fit_temperature, mean_of, tempered
from heads.evaluation.metrics import log_loss
from pipeline.evaluation.evaluation import Evaluation, pooled
from pipeline.evaluation.repeats import RepeatedScore, fold_spread, seed_spread
from pipeline.runs.held_out import HeldOutPredictions, TrainingPredictions

MIN_PARTS = 1e-12
"""Smallest probability of a true label in the log loss; float32 may hold it as 0."""


@dataclass(frozen=True, eq=False)
class Blended:
    """The blend of some runs, on their held-out texts.

    Attributes:
        held_out: its predictions, one training per fold: the mean of the best ones. ``plain``
            is the mean, ``probabilities`` the mean with the temperature.
        temperatures: one per fold.
        seeds: how many blends each fold has: of the first seeds of the runs, of the second, ...
        over_seeds: test scores over these blends; None if there is one.
        over_folds: test scores over the folds; None without folds.
    """

    held_out: HeldOutPredictions
    temperatures: tuple[float, ...]
    seeds: int
    over_seeds: RepeatedScore | None
    over_folds: RepeatedScore | None


def best_of(validations: Sequence[Evaluation]) -> int:
    """Return the index of the run that is best on validation: by accuracy, then by loss."""

    def rank(index: int) -> tuple[float, float]:
        own = validations[index]
        logits = np.log(np.maximum(own.probabilities, MIN_PARTS))
        return own.score().accuracy, -log_loss(own.labels, logits)

    return max(range(len(validations)), key=rank)


def temperature_of(answers: TrainingPredictions) -> float:
    """Return the temperature that minimises the log loss on validation.

    A class that no head of the fold knows has probability 0 everywhere. Its texts are left out,
    as for a single head.
    """
    validation, test = answers.validation, answers.test
    known = np.flatnonzero(validation.plain.any(axis=0) | test.plain.any(axis=0))
    ids = np.full(max(int(validation.labels.max()) + 1, validation.plain.shape[1]), len(known))
    ids[known] = np.arange(len(known))
    logits = np.log(np.maximum(validation.plain[:, known], MIN_PARTS))
    return fit_temperature(ids[validation.labels], logits)


def blend(parts: Sequence[HeldOutPredictions], names: Sequence[str]) -> Blended:
    """Blend runs that held out the same texts.

    Args:
        parts: held-out predictions of R runs, 2 or more.
        names: the runs, for messages.

    Raises:
        SettingError: their texts, sides, folds or numbers of seeds differ.
    """
    for part, name in zip(parts[1:], names[1:], strict=True):
        _check_alike(parts[0], part, names[0], name)
    seeds = [_seeds(part) for part in parts]
    if set(seeds) - {1, max(seeds)}:
        shown = ", ".join(f"{name} {count}" for name, count in zip(names, seeds, strict=True))
        raise SettingError(
            f"the runs have different numbers of seeds ({shown}): give all of them the same "
            "--seeds, or one"
        )
    first = parts[0]
    folds = [
        _mean_predictions([part.folds[place] for part in parts])
        for place in range(len(first.folds))
    ]
    temperatures = tuple(map(temperature_of, folds))
    best = tuple(map(_with_temperature, folds, temperatures))
    repeats = [
        [
            _mean_predictions([_seed(part, place, at) for part in parts])
            for place in range(len(folds))
        ]
        for at in range(max(seeds))
    ]
    learned = tuple(map(min, zip(*(part.learned for part in parts), strict=True)))
    return Blended(
        replace(first, learned=learned, trainings=best),
        temperatures,
        max(seeds),
        _over_seeds(repeats),
        _over_folds(repeats, learned),
    )


def _check_alike(
    first: HeldOutPredictions, other: HeldOutPredictions, name: str, other_name: str
) -> None:
    """Refuse runs with different held-out texts: one learned from test texts of the other."""
    both = f"{name} and {other_name}"
    if first.corpus_digest != other.corpus_digest:
        raise SettingError(
            f"{both} were trained on different texts, labels or split columns: only runs on "
            "the same data can be blended"
        )
    folds = first.fold_count
    if folds != other.fold_count:
        again = f" --folds {folds}" if folds else ""
        raise SettingError(
            f"{both} have {folds or 'no'} and {other.fold_count or 'no'} folds: train one "
            f"again with --split-of {name}{again}"
        )
    for one, two in zip(first.folds, other.folds, strict=True):
        sides = ((one.validation, two.validation), (one.test, two.test))
        if not all(np.array_equal(a.rows, b.rows) for a, b in sides):
            raise SettingError(
                f"{both} held out different texts, so that each has learned from test texts "
                f"of the other: train one again with --split-of {name}"
                + (f" --folds {folds}" if folds else "")
            )


def _seeds(part: HeldOutPredictions) -> int:
    return len(part.trainings) // len(part.folds)


def _seed(part: HeldOutPredictions, fold: int, at: int) -> TrainingPredictions:
    """Return the predictions of a seed of a fold, both counted from 0; or of its only seed."""
    own = [each for each in part.trainings if each.fold == part.folds[fold].fold]
    return own[at if len(own) > 1 else 0]


def _mean_predictions(answers: Sequence[TrainingPredictions]) -> TrainingPredictions:
    """Return the blend of one training of each run, on one fold."""
    first = answers[0]
    return TrainingPredictions(
        first.fold,
        first.seed,
        True,
        _mean_evaluation([each.validation for each in answers]),
        _mean_evaluation([each.test for each in answers]),
    )


def _mean_evaluation(evaluations: Sequence[Evaluation]) -> Evaluation:
    first = evaluations[0]
    mean = mean_of([each.probabilities for each in evaluations])
    return Evaluation(first.side, first.rows, first.labels, mean, mean)


def _with_temperature(answers: TrainingPredictions, temperature: float) -> TrainingPredictions:
    validation, test = (
        Evaluation(
            each.side, each.rows, each.labels, tempered(each.plain, temperature), each.plain
        )
        for each in (answers.validation, answers.test)
    )
    return TrainingPredictions(answers.fold, answers.seed, True, validation, test)


def _over_seeds(repeats: Sequence[Sequence[TrainingPredictions]]) -> RepeatedScore | None:
    if len(repeats) == 1:
        return None
    return seed_spread([pooled([fold.test for fold in repeat]) for repeat in repeats])


def _over_folds(
    repeats: Sequence[Sequence[TrainingPredictions]], learned: Sequence[int]
) -> RepeatedScore | None:
    folds = list(zip(*repeats, strict=True))
    if len(folds) == 1:
        return None
    ratios = [
        len(fold[0].test.rows) / count for fold, count in zip(folds, learned, strict=True)
    ]
    return fold_spread(
        [[answers.test for answers in fold] for fold in folds], float(np.mean(ratios))
    )
