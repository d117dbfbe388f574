"""Suspected label errors, after confident learning (Northcutt et al., JAIR 2021).

A logistic model that never saw a text gives its classes' probabilities. A label is suspected
where another class is more probable and the label given has less than ``UNLIKELY`` of the
probability that it has, on average, for its own texts. The confident joint of the paper asks
the other class to reach its own average instead; on planted flips that found less (75 % for
98 % on banking77) at lower precision (53 % for 60 %).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from features.vectors.neighbors import unit

FOLDS = 5
INVERSE_REGULARISATION = 10.0

UNLIKELY = 0.05

MAX_LEARNED = 16_000
"""Texts that one fold's model learns from: more hardly change it, and cost in proportion."""

ITERATIONS = 100

TOLERANCE, RELATIVE = 1e-3, 0.25
"""Largest gradient where a model is left: of the objective, and as a share of that of zero
weights. The latter falls with the number of classes, below any constant."""


@dataclass(frozen=True, eq=False)
class LabelErrors:
    """Rows whose label is suspected, the most suspected first.

    Attributes:
        rows: (n,) int64.
        suggested: (n,) int64 class ids that fit better.
        own: (n,) float32 probability of the label given.
        other: (n,) float32 probability of the one suggested.
    """

    rows: np.ndarray
    suggested: np.ndarray
    own: np.ndarray
    other: np.ndarray


def out_of_fold(
    vectors: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    seed: int = 0,
    max_learned: int = MAX_LEARNED,
) -> np.ndarray:
    """(N, C) float32 probabilities by a model that saw neither the text nor its copies.

    Args:
        vectors: (N, D) pooled vectors.
        labels: (N,) int64 class ids below C, each at least once.
        groups: (N,) int64; rows of one group share a fold.
        seed: of the folds.
        max_learned: maximum texts that the model of one fold learns from.
    """
    # Slow to import; a training that looks well asks for no such probabilities.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    x = unit(vectors)
    classes = int(labels.max()) + 1
    rng = np.random.default_rng(seed)
    fold = rng.permutation(int(groups.max()) + 1)[groups] % FOLDS
    probabilities = np.zeros((len(x), classes), np.float32)
    for number in range(FOLDS):
        held = np.flatnonzero(fold == number)
        learn = np.flatnonzero(fold != number)
        if len(learn) > max_learned:  # which may leave a rare class out
            learn = np.sort(rng.permutation(learn)[:max_learned])
        if len(held) == 0 or len(np.unique(labels[learn])) < 2:
            probabilities[held] = 1.0 / classes
            continue
        tolerance = min(TOLERANCE, RELATIVE * _first_gradient(x[learn], labels[learn]))
        model = LogisticRegression(C=INVERSE_REGULARISATION, max_iter=ITERATIONS, tol=tolerance)
        with warnings.catch_warnings():
            # A model short of its optimum ranks labels all the same.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(x[learn], labels[learn])
        probabilities[np.ix_(held, model.classes_)] = model.predict_proba(x[held])
    return probabilities


def _first_gradient(x: np.ndarray, labels: np.ndarray) -> float:
    """Largest entry of the mean cross-entropy's gradient, all weights of the vectors zero."""
    from scipy.sparse import csr_matrix  # slow to import

    present, ids = np.unique(labels, return_inverse=True)
    count = len(ids)
    of_class = csr_matrix((np.ones(count, np.float32), (ids, np.arange(count))))
    gradient = x.sum(axis=0) / len(present) - of_class @ x
    return max(float(np.abs(gradient).max()) / count, float(np.finfo(np.float32).eps))


def find_label_errors(probabilities: np.ndarray, labels: np.ndarray) -> LabelErrors:
    """The rows whose label is suspected.

    Args:
        probabilities: (N, C) out of fold.
        labels: (N,) int64 class ids below C, each at least once.
    """
    every = np.arange(len(labels))
    own = probabilities[every, labels]
    counts = np.bincount(labels, minlength=probabilities.shape[1])
    usual = np.bincount(labels, weights=own, minlength=len(counts)) / np.maximum(counts, 1)
    best = probabilities.argmax(axis=1)
    rows = np.flatnonzero((best != labels) & (own < UNLIKELY * usual[labels]))
    rows = rows[np.argsort(own[rows], kind="stable")]
    return LabelErrors(rows, best[rows], own[rows], probabilities[rows, best[rows]])
