"""Baselines on the same split: the majority class, and TF-IDF with logistic regression."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence

import numpy as np

from features.storage.location import Location
from features.storage.results import recall

MAJORITY, TFIDF = "majority", "tfidf_logistic"
BASELINE_NAMES = {MAJORITY: "majority class", TFIDF: "TF-IDF + logistic"}


CODE = ("pipeline.evaluation.baselines",)
PACKAGES = ("numpy", "scipy", "scikit-learn")
"""What else decides what a baseline predicts."""

UNSPACED = "\u2e80"
"""First letter of the East Asian scripts, which write without spaces between words."""

UNSPACED_SHARE = 0.2

WORD = re.compile(r"\w\w")
"""Stands in every text that has a word as scikit-learn counts them: two letters or digits."""

SAMPLE = 1000
TERMS = 100_000
WEIGHTS = 100_000_000
"""Terms times classes at the most: 400 MB, of which the solver holds about three."""

INVERSE_REGULARISATION = 10.0

TOLERANCE, PASSES = 1e-3, 100
"""Largest change of a weight in a pass, as a share of the largest weight; and most passes."""


def majority(labels: np.ndarray, train: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(len(rows),) int64: the most frequent class of the training rows, for every row.

    Args:
        labels: (N,) int64 class ids.
        train: rows to learn from.
        rows: rows to predict.
    """
    return np.full(len(rows), np.bincount(labels[train]).argmax(), dtype=np.int64)


def cached_tfidf_logistic(
    root: Location,
    texts: Sequence[str],
    labels: np.ndarray,
    train: np.ndarray,
    rows: np.ndarray,
) -> np.ndarray:
    """Predict as ``tfidf_logistic``, or read what a cache has stored for the same input.

    Args:
        root: the cache.
        texts, labels, train, rows: as ``tfidf_logistic`` takes them.
    """
    sides = [texts[row] for row in train], labels[train], [texts[row] for row in rows]
    name = "predicted"
    arrays = recall(
        root, sides, CODE, PACKAGES, lambda: {name: tfidf_logistic(texts, labels, train, rows)}
    )
    return arrays[name]


def tfidf_logistic(
    texts: Sequence[str], labels: np.ndarray, train: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """Return (len(rows),) int64 classes by logistic regression on TF-IDF of words and pairs.

    Languages written without spaces get letters instead of words, and so do texts of which
    most have no word of two letters. The settings are fixed: a baseline that is tuned is no
    longer the one everybody can quote.
    """
    # scikit-learn is slow to import, and a cached result does not need it.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    learn = [texts[row] for row in train]
    classes = len(np.unique(labels[train]))
    if classes < 2 or not any(learn):
        return majority(labels, train, rows)
    vectorizer = TfidfVectorizer(
        analyzer="word" if _has_words(learn[:SAMPLE]) else "char",
        ngram_range=(1, 2),
        sublinear_tf=True,
        max_features=min(TERMS, max(1, WEIGHTS // classes)),
        dtype=np.float32,
    )
    # Its rule to stop is relative. L-BFGS stops at a gradient below a constant, and with
    # hundreds of classes the gradient is below it before the first step.
    model = LogisticRegression(
        C=INVERSE_REGULARISATION,
        solver="sag",
        tol=TOLERANCE,
        max_iter=PASSES,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(vectorizer.fit_transform(learn), labels[train])
    predicted: np.ndarray = model.predict(vectorizer.transform([texts[row] for row in rows]))
    return predicted.astype(np.int64)


def _has_words(texts: Sequence[str]) -> bool:
    """Return whether words distinguish these texts, rather than single letters."""
    letters = "".join(texts)
    unspaced = sum(letter >= UNSPACED for letter in letters)
    worded = sum(WORD.search(text) is not None for text in texts)
    return unspaced <= UNSPACED_SHARE * len(letters) and 2 * worded >= len(texts)
