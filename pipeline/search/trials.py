"""One trial: train a candidate, without refit and reports, and score it on validation."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from features.errors import DeviceMemoryError, DivergedError
from heads.evaluation.metrics import log_loss
from heads.problem import EpochRecord
from heads.registry import device_of, head_type, make_settings
from heads.settings import TrainingSettings
from heads.trained import fit
from pipeline.evaluation import baselines
from pipeline.search.candidate import BASELINES, MAJORITY, Candidate, Job, Outcome, packed
from pipeline.search.materials import Materials
from pipeline.training.trainings import on_split

FIRST_RUNG, FACTOR = 2, 2
"""Trials are compared after 2, 4, 8, ... epochs, and the better half of them goes on."""

MIN_RIVALS = 3
"""Other trials of the head that have come so far, before any is stopped."""

IsBehind = Callable[[int, float], bool]
"""(epoch, validation accuracy after it) -> whether to stop."""


class StoppedEarly(Exception):  # noqa: N818  # no error: it leaves the training
    """A trial did worse than others at the same epoch."""


@dataclass(frozen=True)
class Halving:
    """Successive halving among the trials of one head (Li et al., ASHA, MLSys 2020).

    Attributes:
        curves: accuracy after each epoch, of the other trials of that head.
    """

    curves: Sequence[Sequence[float]]

    def is_behind(self, epoch: int, accuracy: float) -> bool:
        """Return whether a trial belongs to the worse half at a rung."""
        rung = FIRST_RUNG
        while rung < epoch:
            rung *= FACTOR
        if rung != epoch:
            return False
        rivals = [max(curve[:epoch]) for curve in self.curves if len(curve) >= epoch]
        if len(rivals) < MIN_RIVALS:
            return False
        ahead = sum(rival > accuracy for rival in rivals)
        return ahead >= (len(rivals) + 1) / FACTOR


def deterministic(candidate: Candidate) -> bool:
    """Return whether every seed gives the same head."""
    if candidate.head in BASELINES:
        return True
    return not issubclass(head_type(candidate.head).settings, TrainingSettings)


def train(
    materials: Materials, job: Job, device: str, is_behind: IsBehind | None = None
) -> Outcome:
    """Train a candidate with each of its seeds.

    Args:
        is_behind: stops a training of the first seed; None: none is stopped.
    """
    start = time.perf_counter()
    if job.candidate.head in BASELINES:
        right = _baseline(materials, job.candidate.head) == materials.truth
        return _outcome(start, accuracy=float(right.mean()), right=(packed(right),))
    found = []
    curve: list[float] = []
    for seed in job.seeds:
        watched: list[float] = []
        try:
            found.append(
                _train_once(materials, job.candidate, seed, device, watched, is_behind)
            )
        except StoppedEarly:
            best = max(watched)
            return _outcome(start, accuracy=best, curve=tuple(watched), stopped=True)
        except (DivergedError, DeviceMemoryError) as error:
            return _outcome(start, failed=str(error), curve=tuple(watched))
        curve = curve or watched
    return _outcome(
        start,
        accuracy=float(np.mean([each.right.mean() for each in found])),
        loss=float(np.mean([each.loss for each in found])),
        epochs=len(curve),
        parameters=found[0].parameters,
        curve=tuple(curve),
        right=tuple(packed(each.right) for each in found),
    )


def _outcome(start: float, **values: object) -> Outcome:
    seconds = round(time.perf_counter() - start, 4)
    return Outcome(seconds=seconds, ended=time.time(), **values)  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class _Scored:
    """One training: (n,) bool answers on validation, their loss, and the head's parameters."""

    right: np.ndarray
    loss: float
    parameters: int


def _train_once(
    materials: Materials,
    candidate: Candidate,
    seed: int,
    device: str,
    watched: list[float],
    is_behind: IsBehind | None,
) -> _Scored:
    split, table = materials.split, materials.table(candidate)
    settings = on_split(make_settings(candidate.head, candidate.settings), split)
    by_steps = isinstance(settings, TrainingSettings)

    def on_epoch(record: EpochRecord) -> None:
        watched.append(round(record.validation_accuracy, 6))
        if by_steps and is_behind and is_behind(record.epoch, max(watched)):
            raise StoppedEarly

    own = device_of(candidate.head, device)
    trained = fit(
        candidate.head,
        settings,
        table,
        materials.labels,
        split.train,
        split.validation,
        split.classes,
        seed,
        on_epoch,
        own,
    )
    logits = trained.logits(table, split.validation, own)
    right = logits.argmax(axis=1) == materials.truth
    return _Scored(right, log_loss(materials.truth, logits), trained.parameters)


def _baseline(materials: Materials, name: str) -> np.ndarray:
    """Return (n,) int64: what a baseline predicts for the validation texts."""
    split, ids = materials.split, materials.labels
    if name == MAJORITY:
        return baselines.majority(ids, split.train, split.validation)
    root, texts = materials.config.cache, materials.corpus.texts
    return baselines.cached_tfidf_logistic(root, texts, ids, split.train, split.validation)
