"""Blend runs: the mean of the probabilities that several finished runs give a text.

    p = softmax(log(w_1 p_1 + ... + w_R p_R) / T)

Runs over different vectors make errors on different texts, and a mean of probabilities makes
fewer (Lakshminarayanan et al., Simple and scalable predictive uncertainty estimation, NeurIPS
2017). The weights w are equal, or found on validation (see ``weights``). The temperature T is
fitted on validation as for a head: the mean of confident predictions that disagree is not
confident enough.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from features.errors import SettingError
from heads.evaluation.calibration import fit_temperature, mean_of, tempered
from heads.evaluation.metrics import log_loss
from pipeline.blending.weights import (
    TEXTS_PER_WEIGHT,
    equal_weights,
    learn_weights,
    learned_gain,
    select,
)
from pipeline.evaluation.evaluation import Evaluation, pooled
from pipeline.evaluation.repeats import RepeatedScore, fold_spread, seed_spread
from pipeline.evaluation.result import Weighting
from pipeline.runs.files.held_out import HeldOutPredictions, TrainingPredictions

EQUAL: Final = "equal"
LEARNED: Final = "learned"
SELECTED: Final = "selected"
"""Kinds of weights."""

Weigh = Callable[[Sequence[Evaluation]], np.ndarray]
"""What R runs predict on validation -> (R,) weights."""

MIN_PARTS = 1e-12
"""Smallest probability of a true label in the log loss; float32 may hold it as 0."""


@dataclass(frozen=True, eq=False)
class Blended:
    """The blend of some runs, on their held-out texts.

    Attributes:
        held_out: its predictions, one training per fold: the mean of the best ones. ``plain``
            is the mean, ``probabilities`` the mean with the temperature.
        temperatures: one per fold.
        chosen: indices of the runs that are blended, of those given.
        weights: one for each of them, per fold.
        weighting: how they were found.
        seeds: how many blends each fold has: of the first seeds of the runs, of the second, ...
        over_seeds: test scores over these blends; None if there is one.
        over_folds: test scores over the folds; None without folds.
    """

    held_out: HeldOutPredictions
    temperatures: tuple[float, ...]
    chosen: tuple[int, ...]
    weights: tuple[tuple[float, ...], ...]
    weighting: Weighting
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


def blend(
    parts: Sequence[HeldOutPredictions], names: Sequence[str], kind: str | None = EQUAL
) -> Blended:
    """Blend runs that held out the same texts.

    Args:
        parts: held-out predictions of R runs, 2 or more.
        names: the runs, for messages.
        kind: ``EQUAL``, ``LEARNED`` or ``SELECTED`` weights; None: learned ones if these gain
            beyond noise on validation, else equal ones.

    Raises:
        SettingError: their texts, sides, folds or numbers of seeds differ, there are too few
            validation texts to learn weights, or no run improves on the best one.
    """
    check_alike(parts, names)
    chosen, weigh, weighting = _weighting(parts, names, kind)
    parts = [parts[i] for i in chosen]
    seeds = [_seeds(part) for part in parts]
    if set(seeds) - {1, max(seeds)}:
        shown = ", ".join(f"{names[i]} {count}" for i, count in zip(chosen, seeds, strict=True))
        raise SettingError(
            f"the runs have different numbers of seeds ({shown}): give all of them the same "
            "--seeds, or one"
        )
    first = parts[0]
    found = [
        _mean_predictions([part.folds[place] for part in parts], weigh)
        for place in range(len(first.folds))
    ]
    folds = [fold for fold, _ in found]
    temperatures = tuple(map(temperature_of, folds))
    best = tuple(map(_with_temperature, folds, temperatures))
    repeats = [
        [
            _mean_predictions([_seed(part, place, at) for part in parts], weigh)[0]
            for place in range(len(folds))
        ]
        for at in range(max(seeds))
    ]
    learned = tuple(map(min, zip(*(part.learned for part in parts), strict=True)))
    return Blended(
        replace(first, learned=learned, trainings=best),
        temperatures,
        chosen,
        tuple(tuple(weights.tolist()) for _, weights in found),
        weighting,
        max(seeds),
        _over_seeds(repeats),
        _over_folds(repeats, learned),
    )


def check_alike(parts: Sequence[HeldOutPredictions], names: Sequence[str]) -> None:
    """Refuse runs that held out different texts: one learned from test texts of another.

    Args:
        parts: held-out predictions of the runs.
        names: the runs, for messages.

    Raises:
        SettingError: their texts, sides or folds differ.
    """
    for part, name in zip(parts[1:], names[1:], strict=True):
        _check_two(parts[0], part, names[0], name)


def _weighting(
    parts: Sequence[HeldOutPredictions], names: Sequence[str], kind: str | None
) -> tuple[tuple[int, ...], Weigh, Weighting]:
    """Return which runs are blended, what finds their weights, and how that was decided."""
    every = tuple(range(len(parts)))
    if kind == SELECTED:
        return _selected(parts, names)
    texts, needed = len(np.unique(parts[0].validation.rows)), TEXTS_PER_WEIGHT * len(parts)
    if kind == LEARNED and texts < needed:
        raise SettingError(
            f"--weights learned takes {TEXTS_PER_WEIGHT} validation texts per run, {needed} "
            f"for {len(parts)}; there are {texts}: leave --weights learned out"
        )
    if kind == EQUAL or texts < needed:
        return every, _equal, Weighting(EQUAL)
    folds = range(len(parts[0].folds))
    gain = learned_gain([[part.folds[at].validation for part in parts] for at in folds])
    if kind == LEARNED or gain.beyond_noise:
        return every, learn_weights, Weighting(LEARNED, gain.mean, gain.interval)
    return every, _equal, Weighting(EQUAL, gain.mean, gain.interval)


def _equal(parts: Sequence[Evaluation]) -> np.ndarray:
    return equal_weights(len(parts))


def _selected(
    parts: Sequence[HeldOutPredictions], names: Sequence[str]
) -> tuple[tuple[int, ...], Weigh, Weighting]:
    if parts[0].fold_count:
        raise SettingError(
            "--select chooses by validation texts, and with folds each is a test text of "
            "another fold: select among runs without --folds"
        )
    validations = [part.validation for part in parts]
    first = best_of(validations)
    counts = select(validations, first)
    chosen = tuple(np.flatnonzero(counts).tolist())
    if len(chosen) == 1:
        raise SettingError(
            f"--select keeps {names[first]} alone, the best on validation: no other run lowers "
            "its log loss beyond noise; predict with that run, or leave --select out"
        )
    weights = counts[list(chosen)] / counts.sum()
    left_out = tuple(name for i, name in enumerate(names) if i not in chosen)
    return chosen, lambda _: weights, Weighting(SELECTED, left_out=left_out)


def _check_two(
    first: HeldOutPredictions, other: HeldOutPredictions, name: str, other_name: str
) -> None:
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


def _mean_predictions(
    answers: Sequence[TrainingPredictions], weigh: Weigh
) -> tuple[TrainingPredictions, np.ndarray]:
    """Return the blend of one training of each run, on one fold, and its weights."""
    first = answers[0]
    weights = weigh([each.validation for each in answers])
    mean = TrainingPredictions(
        first.fold,
        first.seed,
        True,
        _mean_evaluation([each.validation for each in answers], weights),
        _mean_evaluation([each.test for each in answers], weights),
    )
    return mean, weights


def _mean_evaluation(evaluations: Sequence[Evaluation], weights: np.ndarray) -> Evaluation:
    first = evaluations[0]
    mean = mean_of([each.probabilities for each in evaluations], weights.tolist())
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
