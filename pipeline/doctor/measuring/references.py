"""M7 and M9: what other classifiers reach on the same sides, and what more texts would give."""

from __future__ import annotations

import numpy as np

from heads.evaluation.metrics import macro_f1, mean_interval
from pipeline.doctor.case import Case
from pipeline.doctor.measurements import Reference, References
from pipeline.doctor.measuring.pooled import pooled_of, pooled_table
from pipeline.evaluation.baselines import TFIDF, cached_tfidf_logistic, tfidf_logistic

LOGISTIC, KNN = "logistic", "knn"

MIN_HALF = 20
"""Training texts from which half of them are tried."""


def measure_references(case: Case) -> References | None:
    """Return logistic regression, nearest neighbours and word counts on the same sides.

    Each learns from the training texts alone and predicts the validation texts. The head itself
    is no reference.
    """
    found: dict[str, np.ndarray] = {}
    pooled = pooled_of(case)
    if pooled is not None:
        found[LOGISTIC] = _predicted(case, LOGISTIC, pooled, case.train)
        found[KNN] = _predicted(case, KNN, pooled, case.train)
    if case.texts is not None:
        found[TFIDF] = _words(case)
    references = tuple(
        reference_of(case, name, predicted)
        for name, predicted in found.items()
        if name != case.head
    )
    labels = case.labels[case.validation]
    if pooled is None or len(case.train) < MIN_HALF:
        return References(references) if references else None
    whole = (found[LOGISTIC] == labels).astype(np.float64)
    halves = [
        (_predicted(case, LOGISTIC, pooled, half) == labels).astype(np.float64)
        for half in halves_of(case.labels, case.train)
    ]
    half = np.mean(halves, axis=0)
    return References(
        references,
        half=float(half.mean()),
        whole=float(whole.mean()),
        doubling_interval=mean_interval(whole - half),
    )


def reference_of(case: Case, name: str, predicted: np.ndarray) -> Reference:
    """Return a reference from the classes that it predicts for the validation texts."""
    labels = case.labels[case.validation]
    right = predicted == labels
    ahead = right.astype(np.float64) - case.right
    return Reference(
        name,
        float(right.mean()),
        float(ahead.mean()),
        mean_interval(ahead),
        macro_f1(labels, predicted),
    )


def halves_of(labels: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return two halves of the training rows, in each about half of every class."""
    random = np.random.default_rng(0)
    order = random.permutation(len(train))
    by_class = order[np.argsort(labels[train][order], kind="stable")]
    return np.sort(train[by_class[::2]]), np.sort(train[by_class[1::2]])


def _predicted(case: Case, head: str, pooled: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Return (m,) int64 classes that a head without steps predicts from pooled vectors."""
    from heads.registry import make_settings

    table = pooled_table(pooled)
    settings = make_settings(head, {})
    trained = case.train_again(settings, head=head, tables=table, train=train)
    classes: np.ndarray = trained.logits(table, case.validation).argmax(axis=1)
    return classes


def predict_with(case: Case, head: str) -> np.ndarray:
    """Return (m,) int64 classes that a head without steps predicts from pooled vectors."""
    pooled = pooled_of(case)
    assert pooled is not None
    return _predicted(case, head, pooled, case.train)


def _words(case: Case) -> np.ndarray:
    """Return (m,) int64 classes by TF-IDF with logistic regression."""
    assert case.texts is not None
    given = case.texts, case.labels, case.train, case.validation
    if case.config is None:
        return tfidf_logistic(*given)
    return cached_tfidf_logistic(case.config.vectors.cache, *given)
