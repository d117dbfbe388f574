"""How many labels are wrong: those that a classifier of all other texts cannot explain.

The label of a hard text is among the classes that the classifier holds likely, and the harder
texts are, the flatter are its probabilities. A wrong label may be any class, however unlikely
there. So the chance of a label is taken to be

    (1 - e) softmax(scores / temperature) + e / C

and e is what makes the labels most likely, beside the temperature: a lapse rate, as in
psychometric functions (Wichmann and Hill, 2001). Of e / C a share of 1 / C hits the right class
again. What is wrong in one direction only, such as a class that is taken for one other, is
learned by the classifier and is not seen here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipeline.doctor.case import Case
from pipeline.doctor.measurements import WrongLabels
from pipeline.doctor.measuring.labels.regression import left_out_scores
from pipeline.doctor.measuring.pooled import pooled_of
from pipeline.doctor.measuring.vectors import spaced

PENALTIES = 1.0, 3.0, 10.0, 30.0
"""Of the regression, in mean squares of a text; what explains the labels best counts."""

TEMPERATURES = np.geomspace(0.02, 2.0, 25)

SHARES = np.concatenate([[0.0, 0.01], np.arange(0.02, 0.92, 0.02)])
"""Of labels that are drawn among all classes: e."""

TINY = 1e-12
"""Added to what may be 0."""

LOWER = 1.353
"""Log-likelihood below the best, beyond which a share is ruled out at 5 % on either side."""

LEAST, MOST = 100, 3000
"""With fewer texts nothing is said; of more, so many are judged, evenly spaced. Ours."""

DOUBTED = 0.5
"""Chance from which a label is suspected."""


@dataclass(frozen=True, eq=False)
class JudgedLabels:
    """What a classifier of all other texts says of the labels of some.

    Attributes:
        rows: (n,) int64 of the texts.
        found: how many are wrong.
        doubt: (n,) chance that each label is wrong.
    """

    rows: np.ndarray
    found: WrongLabels
    doubt: np.ndarray

    @property
    def suspected(self) -> np.ndarray:
        """Return the rows whose label is rather wrong than right."""
        chosen: np.ndarray = self.rows[self.doubt > DOUBTED]
        return chosen

    def of(self, rows: np.ndarray) -> WrongLabels:
        """Return how many labels of some of the rows are wrong, as the same fit has it."""
        share = float(self.doubt[np.isin(self.rows, rows)].mean())
        times = share / max(self.found.share, TINY)
        found = self.found
        least, most = (min(1.0, times * each) for each in (found.least, found.most))
        return replace(found, share=share, least=least, most=most)


@dataclass(frozen=True, eq=False)
class _Fit:
    """The best temperature for each share.

    Attributes:
        likelihoods: (S,) log-likelihood of the labels.
        chances: (S, n) softmax(scores / temperature) of the labels.
    """

    likelihoods: np.ndarray
    chances: np.ndarray


def measure_wrong_labels(case: Case) -> WrongLabels | None:
    """Return how many labels of training are wrong; None without vectors or with few texts.

    Validation texts help to tell: more texts, more is explained.
    """
    judged = judged_rows(case, np.concatenate([case.train, case.validation]))
    return None if judged is None else judged.of(case.train)


def judged_rows(case: Case, rows: np.ndarray) -> JudgedLabels | None:
    """Return what is to be said of the labels of some rows, one of each group of near-copies.

    A copy would explain a wrong label by its own.
    """
    pooled = pooled_of(case)
    rows = np.sort(rows[case.labels[rows] < len(case.classes)])
    if case.duplicates is not None:
        _, first = np.unique(case.duplicates.clusters[rows], return_index=True)
        rows = rows[np.sort(first)]
    rows = spaced(rows, MOST)
    if pooled is None or len(rows) < LEAST or len(np.unique(case.labels[rows])) < 2:
        return None
    found, doubt = wrong_labels(pooled[rows], case.labels[rows])
    return JudgedLabels(rows, found, doubt)


def wrong_labels(vectors: np.ndarray, labels: np.ndarray) -> tuple[WrongLabels, np.ndarray]:
    """Return how many labels are wrong, and the (n,) chance of each.

    Args:
        vectors: (n, D), unequal.
        labels: (n,) class ids, two or more.
    """
    known, ids = np.unique(labels, return_inverse=True)
    others = 1 - 1 / len(known)
    fits = [_fit(scores, ids) for scores in left_out_scores(vectors, ids, PENALTIES)]
    likelihoods = np.max([each.likelihoods for each in fits], axis=0)
    best = int(likelihoods.argmax())
    fit = max(fits, key=lambda each: float(each.likelihoods[best]))
    drawn, chances = SHARES[best], fit.chances[best]
    by_chance = drawn / len(known)
    doubt: np.ndarray = by_chance * (1 - chances) / ((1 - drawn) * chances + by_chance + TINY)
    possible = others * SHARES[likelihoods >= likelihoods[best] - LOWER]
    ratio = float(2 * (likelihoods[best] - likelihoods[0]))
    share = float(others * drawn)
    return WrongLabels(share, float(possible.min()), float(possible.max()), ratio), doubt


def _fit(scores: np.ndarray, ids: np.ndarray) -> _Fit:
    """Return the likelihood of the labels for each share, at its best temperature."""
    below = scores - scores.max(axis=1, keepdims=True)
    likelihoods = np.full(len(SHARES), -np.inf)
    chances = np.zeros((len(SHARES), len(ids)))
    for temperature in TEMPERATURES:
        weights = np.exp(below / temperature)
        own = weights[np.arange(len(ids)), ids] / weights.sum(axis=1)
        mixed = (1 - SHARES)[:, None] * own + SHARES[:, None] / scores.shape[1]
        found = np.log(mixed + TINY).sum(axis=1)
        better = found > likelihoods
        likelihoods[better], chances[better] = found[better], own
    return _Fit(likelihoods, chances)
