"""What a head must beat on the same split: the majority class, and TF-IDF with logistic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

UNSPACED = "\u2e80"
"""First letter of the East Asian scripts, which write without spaces between words."""

UNSPACED_SHARE = 0.2

SAMPLE = 1000
TERMS = 100_000
INVERSE_REGULARISATION = 10.0


def majority(labels: np.ndarray, train: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(len(rows),) int64: the most frequent class of the training rows, for every row.

    Args:
        labels: (N,) int64 class ids.
        train: rows to learn from.
        rows: rows to predict.
    """
    return np.full(len(rows), np.bincount(labels[train]).argmax(), dtype=np.int64)


def tfidf_logistic(
    texts: Sequence[str], labels: np.ndarray, train: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """(len(rows),) int64: classes by logistic regression on TF-IDF of words and word pairs.

    Languages written without spaces get letters instead of words. The settings are fixed:
    a baseline that is tuned is no longer the one everybody can quote.
    """
    learn = [texts[row] for row in train]
    vectorizer = TfidfVectorizer(
        analyzer="char" if _unspaced(learn[:SAMPLE]) else "word",
        ngram_range=(1, 2),
        sublinear_tf=True,
        max_features=TERMS,
        dtype=np.float32,
    )
    model = LogisticRegression(C=INVERSE_REGULARISATION, max_iter=200, tol=1e-3)
    model.fit(vectorizer.fit_transform(learn), labels[train])
    predicted: np.ndarray = model.predict(vectorizer.transform([texts[row] for row in rows]))
    return predicted.astype(np.int64)


def _unspaced(texts: Sequence[str]) -> bool:
    letters = "".join(texts)
    return sum(letter >= UNSPACED for letter in letters) > UNSPACED_SHARE * len(letters)
