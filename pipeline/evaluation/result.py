"""The result of an experiment or a blend, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from features.text.languages import ForeignTexts
from heads.evaluation.calibration import BINS, error_by_chance, reliability
from heads.evaluation.metrics import differ
from pipeline.evaluation.baselines import BASELINE_NAMES
from pipeline.evaluation.breakdown import ClassScore, Collapse, Parts
from pipeline.evaluation.comparison import Comparison
from pipeline.evaluation.evaluation import Difference, Evaluation, Score
from pipeline.evaluation.mistakes import Mistake
from pipeline.evaluation.repeats import RepeatedScore

VERSION = 4
"""Of ``metrics.json`` and the results in ``--json``; ``runs/formats.py`` reads older ones."""

ScoreRow = tuple[str, str, Score]
"""A row of a table of scores: the side, the name of what is scored, the score."""

BLEND_NAME = "blend"
"""The name of a blend, where other runs have that of a head."""


@dataclass(frozen=True)
class Calibration:
    """How well the test probabilities match the share of right predictions.

    Attributes:
        temperature: by which the head in the run folder divides its logits; fitted before
            the refit.
        error_before, error_after: expected calibration error on test, in [0, 1], without and
            with the temperature; with folds, each text by the temperature of its fold's head.
        error_by_chance: the mean error of as many texts if these probabilities were true.
        bins: number of bins of the confidence, of equal width.
    """

    temperature: float
    error_before: float
    error_after: float
    error_by_chance: float
    bins: int


@dataclass(frozen=True)
class TrainingScore:
    """The scores of one training.

    Attributes:
        fold, seed: of the training; without folds, fold 1.
        best: whether it is the best of its fold on validation.
        validation, test: its scores.
        temperature: fitted on its validation texts.
        epochs, best_epoch: epochs that were trained, and the one whose weights are used.
        collapsed: whether it predicts one class for almost every text.
        seconds: wall time of the training.
    """

    fold: int
    seed: int
    best: bool
    validation: Score
    test: Score
    temperature: float
    epochs: int
    best_epoch: int
    collapsed: bool
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Scores:
    """The scores that every run has, of one head or of a blend.

    Attributes:
        run: its folder.
        head: what was trained, or ``blend``.
        validation, test: scores of the head in the run folder, on validation before its refit;
            with folds, the pooled scores of the best head of each fold on the texts of the
            fold, each text counted once.
        baselines: test scores of the baselines, by name.
        notes: what a user must know about the split.
        leaked: test texts with a near-duplicate among the training texts.
        seeds, folds: number of trainings per split, and of folds; 0 without.
        over_seeds: test scores over the seeds; None with one seed.
        over_folds: test scores over the folds; None without folds.
        classes: the test scores of each class.
        calibration: of the test probabilities.
        against: the test answers compared with those of a baseline on the same texts, by its
            name; empty of a blend, and where a baseline is missing.
        advice: what is worth knowing, a sentence or two each, the weightiest first.
        command: what to do next, as it is typed; '' of an older run.
    """

    run: Path
    head: str
    validation: Score
    test: Score
    baselines: Mapping[str, Score]
    notes: tuple[str, ...]
    leaked: int = 0
    seeds: int = 1
    folds: int = 0
    over_seeds: RepeatedScore | None = None
    over_folds: RepeatedScore | None = None
    classes: tuple[ClassScore, ...] = ()
    calibration: Calibration
    against: Mapping[str, Comparison] = field(default_factory=dict)
    advice: tuple[str, ...] = ()
    command: str = ""

    @property
    def rows(self) -> list[ScoreRow]:
        """The table of scores: those of the head or blend, then those of the baselines."""
        return [
            ("validation", self.head, self.validation),
            ("test", self.head, self.test),
            *self.baseline_rows,
        ]

    @property
    def baseline_rows(self) -> list[ScoreRow]:
        """The rows of the baselines."""
        return [
            ("test", BASELINE_NAMES.get(name, name), each)
            for name, each in self.baselines.items()
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for ``--json`` and ``metrics.json``."""
        return {"version": VERSION, **asdict(self), "run": str(self.run)}


@dataclass(frozen=True, kw_only=True)
class ExperimentResult(Scores):
    """The result of one experiment.

    Attributes:
        layout: layout of the vectors that the head was trained on.
        encoded: texts that had to be encoded; the others were cached.
        truncated: texts longer than the encoder sees, of those on any side; with folds, rows
            that a split column marks as test are on none.
        tokens_cut_share: share of all tokens, in [0, 1], that it therefore does not see.
        epochs, best_epoch: epochs that were trained, and the one whose weights are used.
        chosen: the same in words, such as ``epoch 12 of 30`` or ``C = 10 (6th of 8)``; '' of
            an older run.
        parameters: number of trained parameters of the head.
        seconds: ``encoding`` and ``training``, of all trainings together.
        test_without_leaked: the score on the test texts that are not leaked; None if all are.
        refit: whether the head was trained again on training and validation texts; the
            validation score is then that of the head before.
        trainings: every training.
        by_length: the test texts in parts by their tokens.
        by_truncation: whole and truncated test texts; None if there are none of one kind.
        collapse: the class that is predicted for almost every text; None if there is none.
        mistake: the most frequent one on test; None without an error, and of an older run.
        mean_absolute_error: by how much ratings are missed on test; None of other labels.
        foreign: a language that many of the texts are in and the encoder does not read.
        bytes_per_text: mean stored bytes of a text's vectors; None of an older run.
        accuracy_by_coverage: pairs of a share of the test texts, those with the highest
            confidence, and the accuracy of these; empty of an older run.
    """

    layout: str
    encoded: int
    truncated: int
    epochs: int
    best_epoch: int
    parameters: int
    seconds: Mapping[str, float]
    test_without_leaked: Score | None = None
    tokens_cut_share: float = 0.0
    refit: bool = False
    trainings: tuple[TrainingScore, ...] = ()
    by_length: Parts | None = None
    by_truncation: Parts | None = None
    collapse: Collapse | None = None
    chosen: str = ""
    mistake: Mistake | None = None
    mean_absolute_error: float | None = None
    foreign: ForeignTexts | None = None
    bytes_per_text: float | None = None
    accuracy_by_coverage: tuple[tuple[float, float], ...] = ()

    @property
    def rows(self) -> list[ScoreRow]:
        """As of every run, with the score on the test texts that are not leaked."""
        validation, test, *others = super().rows
        rest = self.test_without_leaked if self.leaked else None
        clean = [("test, not leaked", self.head, rest)] if rest and rest.enough else []
        return [validation, test, *clean, *others]

    @property
    def leakage_matters(self) -> bool:
        """Whether leaked texts raise or lower the test accuracy beyond noise.

        ``heads.evaluation.metrics.differ`` tests at 95 % the leaked texts against the others.
        """
        rest = self.test_without_leaked
        if not self.leaked or rest is None:
            return False
        others = rest.accuracy * rest.texts
        leaked = self.test.accuracy * self.test.texts - others
        return differ(np.array([leaked, others]), np.array([self.leaked, rest.texts]))


@dataclass(frozen=True)
class BlendPart:
    """A run that is blended, and its own scores.

    Attributes:
        run: its name.
        head, layout: what was trained on what.
        validation, test: its scores.
    """

    run: str
    head: str
    layout: str
    validation: Score
    test: Score


@dataclass(frozen=True)
class Weighting:
    """How the weights of a blend were found.

    Attributes:
        kind: ``equal``; ``learned`` on validation; ``selected``: by how often a greedy search
            on validation took each run.
        gain: by how many nats the log loss of a validation text is lower with learned weights
            than with equal ones, each text by weights learned on others; None if not measured.
        interval: its 95 % bootstrap interval over the texts.
        left_out: runs that the search did not take.
    """

    kind: Literal["equal", "learned", "selected"]
    gain: float | None = None
    interval: tuple[float, float] | None = None
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BlendResult(Scores):
    """The result of a blend.

    Baselines, ``leaked`` and notes are those of its first part.

    Attributes:
        parts: the runs, in the order given.
        best_part: index among them, from 0, of the one that is best on validation.
        gain_validation, gain_test: how much more often it is right than the best part.
        weights: of the parts, in their order, summing to 1; with folds, those of fold 1.
        weighting: how they were found.
    """

    parts: tuple[BlendPart, ...]
    best_part: int
    gain_validation: Difference
    gain_test: Difference
    weights: tuple[float, ...]
    weighting: Weighting


def calibration_of(test: Evaluation, temperature: float) -> Calibration:
    """Return the calibration of predictions on test, with the temperature to report."""
    return Calibration(
        temperature=temperature,
        error_before=reliability(test.labels, test.plain).error,
        error_after=reliability(test.labels, test.probabilities).error,
        error_by_chance=error_by_chance(test.probabilities),
        bins=BINS,
    )
