"""Abstention: the confidence above which labels are right as often as wanted.

The threshold is chosen on validation texts, of which each candidate is tested with a correction
for how many there are, so that choosing does not flatter it (Angelopoulos et al., Learn then
test, 2021: fixed sequences of tests, from several starts).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from features.errors import SettingError
from heads.evaluation.metrics import share_interval
from pipeline.evaluation.evaluation import Evaluation

DELTA = 0.05
"""Chance, at most, that a threshold is given whose precision is below the wanted one."""

GRID = 20
"""Candidates: thresholds that 1, 2, ... 20 twentieths of the validation texts are above."""

STARTS = 4
"""Sequences of tests; each begins at another candidate, with its part of ``DELTA``."""

TABLE = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5)
"""Coverages of the table of accuracy against coverage."""


@dataclass(frozen=True)
class Coverage:
    """How many texts are labelled above a threshold, and how many of these labels are right.

    Attributes:
        texts: all texts.
        labelled: those above the threshold.
        right: those of them that are labelled correctly.
        share: ``labelled / texts``, with its 95 % Wilson interval.
        precision: ``right / labelled``, with its own; NaN and (0, 1) if none is labelled.
    """

    texts: int
    labelled: int
    right: int
    share: float
    share_interval: tuple[float, float]
    precision: float
    precision_interval: tuple[float, float]

    @classmethod
    def of(cls, above: np.ndarray, right: np.ndarray) -> Coverage:
        """Return that of (n,) bool: which texts are labelled, and which are right; n >= 1."""
        labelled, hits = int(above.sum()), int((above & right).sum())
        return cls(
            len(above),
            labelled,
            hits,
            labelled / len(above),
            share_interval(above.astype(float)),
            hits / labelled if labelled else math.nan,
            share_interval(right[above].astype(float)) if labelled else (0.0, 1.0),
        )


@dataclass(frozen=True)
class Abstention:
    """The rule that leaves texts without a label.

    Attributes:
        precision: share of labels that shall be right, in (0, 1).
        threshold: a text gets a label if its confidence is above this.
        validation: on the texts that the threshold was chosen on.
        test: on texts that had no part in it.
    """

    precision: float
    threshold: float
    validation: Coverage
    test: Coverage

    def abstained(self, confidence: np.ndarray) -> np.ndarray:
        """Return (n,) bool: which of (n,) confidences are too low for a label."""
        low: np.ndarray = ~(confidence.astype(np.float64) > self.threshold)
        return low

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON; a precision of no labels is null."""
        values = asdict(self)
        for side in ("validation", "test"):
            if math.isnan(values[side]["precision"]):
                values[side]["precision"] = None
        return values

    def line(self) -> str:
        """Return one line for people."""
        low, high = self.validation.share_interval
        line = (
            f"abstention: labels with a confidence above {self.threshold:.3f}, to be right for "
            f"{self.precision:.0%} of the texts or more; {self.validation.share:.1%} of the "
            f"validation texts get one ({low:.1%} to {high:.1%})"
        )
        if not self.test.labelled:
            return f"{line}, of the test texts none"
        low, high = self.test.precision_interval
        return (
            f"{line}; of the test texts {self.test.share:.1%}, of which "
            f"{self.test.precision:.1%} ({low:.1%} to {high:.1%}) are right"
        )


def choose_abstention(
    precision: float, validation: Evaluation, test: Evaluation, delta: float = DELTA
) -> Abstention:
    """Return the rule that labels most texts and is right for the wanted share of them.

    The k most confident of n texts are, above the (k + 1)-th confidence, a sample of all texts
    above it: each candidate is an exact binomial test. With the chance ``1 - delta`` the
    precision on new texts like those of validation is at least the wanted one.

    Args:
        precision: wanted share of right labels, in (0, 1).
        validation, test: predictions of the head.
        delta: see ``DELTA``.

    Raises:
        SettingError: no threshold reaches it.
    """
    check_precision(precision)
    confidence = validation.probabilities.max(axis=1).astype(np.float64)
    fewest = math.ceil(math.log(delta / STARTS) / math.log(precision))
    thresholds = _candidates(confidence, fewest)
    found: float | None = None
    for start in _starts(len(thresholds)):
        for threshold in thresholds[start:]:
            right = validation.right[confidence > threshold]
            if not _passes(int(right.sum()), len(right), precision, delta):
                break
            found = threshold if found is None else min(found, threshold)
    if found is None:
        raise SettingError(_unreachable(precision, fewest, validation))
    return Abstention(
        precision,
        found,
        Coverage.of(confidence > found, validation.right),
        Coverage.of(test.probabilities.max(axis=1).astype(np.float64) > found, test.right),
    )


def accuracy_by_coverage(evaluation: Evaluation) -> tuple[tuple[float, float], ...]:
    """Return pairs (coverage, accuracy of so many most confident texts), as in ``TABLE``."""
    order = np.argsort(-evaluation.probabilities.max(axis=1), kind="stable")
    right = evaluation.right[order]
    counts = [max(1, round(share * len(right))) for share in TABLE]
    pairs = zip(TABLE, counts, strict=True)
    return tuple((share, round(float(right[:k].mean()), 6)) for share, k in pairs)


def check_precision(value: float) -> None:
    """Refuse a precision that is none. Raises ``SettingError``."""
    if not 0 < value < 1:
        raise SettingError(
            f"--abstain {value:g}: the wanted share of right labels must be above 0 and below "
            "1, such as 0.95"
        )


def _candidates(confidence: np.ndarray, fewest: int) -> list[float]:
    """Return falling thresholds, each with ``fewest`` texts or more above it.

    They depend on the confidences alone, not on which labels are right.
    """
    count = len(confidence)
    ranked = np.sort(confidence)[::-1]
    places = {math.ceil(count * i / GRID) for i in range(1, GRID + 1)}
    found = {float(ranked[k]) if k < count else 0.0 for k in places}
    return [x for x in sorted(found, reverse=True) if int((confidence > x).sum()) >= fewest]


def _starts(candidates: int) -> list[int]:
    """Return the candidates at which sequences begin: fixed before labels are looked at."""
    return sorted({candidates * i // STARTS for i in range(STARTS)}) if candidates else []


def _passes(right: int, texts: int, precision: float, delta: float) -> bool:
    """Return whether so many right labels refute that the precision is below the wanted."""
    from scipy.special import bdtrc  # slow to import

    if right == 0:
        return False
    return bool(bdtrc(right - 1, texts, precision) <= delta / STARTS)


def _unreachable(precision: float, fewest: int, validation: Evaluation) -> str:
    count = len(validation.rows)
    accuracy = f"of its {count:,} validation texts {validation.right.mean():.1%} are right"
    if count < fewest:
        return (
            f"--abstain {precision:g} needs {fewest:,} validation texts or more to tell, and "
            f"the run has {count:,}; ask for a lower precision, or train with more texts"
        )
    return (
        f"--abstain {precision:g}: no confidence of the run is shown to reach that precision "
        f"({accuracy}); ask for a lower one, or train with more texts"
    )
