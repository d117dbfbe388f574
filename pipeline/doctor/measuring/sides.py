"""M10: whether the sides are alike. Of test, texts and labels alone are compared."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np

from features.duplicates.duplicates import Duplicates, leaked
from heads.evaluation.metrics import accuracy_interval
from pipeline.doctor.case import Case
from pipeline.doctor.measurements import Sides
from pipeline.doctor.measuring.pooled import centred, pooled_of
from pipeline.doctor.measuring.vectors import spaced

MOST = 1000
"""Texts of a side by which the sides are told apart."""

LEAST = 30
"""With fewer texts of a side its AUC is not measured."""

FOLDS = 5

INVERSE_REGULARISATION = 0.1
"""Of standardised features: a stronger penalty finds differences of means as well."""

EXAMPLES = 3

SAME, NEARER, USUAL = 0.99, 0.1, 0.1
"""Vectors of arrays are copies from this cosine, if they are ten times as near as the nearest
of training texts, at the tenth where neighbours are far: many may be copies. Ours."""

AGREE = 0.8
"""Share of the copies whose label is that of their original. Ours."""

MOST_COMPARED = 20_000
"""Training texts of arrays among which copies are looked for."""


def measure_sides(case: Case) -> Sides:
    """Return how the sides differ."""
    pooled, labels = pooled_of(case), case.labels
    sides = {"validation": case.validation, "test": case.test}
    aucs = {
        name: None if pooled is None else auc_of(pooled, case.train, rows, _groups(case))
        for name, rows in sides.items()
    }
    known = range(len(case.classes))
    unknown = np.unique(labels[case.validation][labels[case.validation] >= len(known)])
    copied = copied_rows(case)
    right = case.right
    return Sides(
        auc_validation=aucs["validation"],
        auc_test=aucs["test"],
        apart_validation=apart(labels[case.train], labels[case.validation]),
        apart_test=apart(labels[case.train], labels[case.test]) if len(case.test) else 0.0,
        runs_z=runs_z(labels),
        missing_in_training=_names(case, unknown),
        official=case.corpus is not None and case.corpus.splits is not None,
        given=case.corpus is None,
        copied=0 if copied is None else int(copied.sum()),
        compared=0 if copied is None else len(copied),
        copied_accuracy=_mean(right, copied),
        uncopied_accuracy=None if copied is None else _mean(right, ~copied),
        uncopied_interval=None if copied is None else _interval(case, ~copied),
        examples=() if case.duplicates is None or copied is None else _examples(case, copied),
    )


def apart(first: np.ndarray, second: np.ndarray) -> float:
    """Return the total variation of the shares of class ids, in [0, 1]."""
    count = int(max(first.max(), second.max())) + 1
    shares = [np.bincount(each, minlength=count) / len(each) for each in (first, second)]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


def runs_z(labels: np.ndarray) -> float | None:
    """Return the z of the number of runs of equal labels; far below 0: the file is sorted.

    Wald and Wolfowitz, Annals of Mathematical Statistics, 1940; of several classes as in
    Barton and David, Multiple runs, Biometrika, 1957.
    """
    n, counts = len(labels), np.bincount(labels).astype(np.float64)
    if n < 3 or (counts > 0).sum() < 2:
        return None
    squares, cubes = float((counts**2).sum()), float((counts**3).sum())
    expected = (n * (n + 1) - squares) / n
    variance = squares * (squares + n * (n + 1)) - 2 * n * cubes - float(n) ** 3
    variance /= float(n) ** 2 * (n - 1)
    runs = 1 + int((labels[1:] != labels[:-1]).sum())
    return float((runs - expected) / max(variance, 1e-9) ** 0.5)


def auc_of(
    pooled: np.ndarray, train: np.ndarray, other: np.ndarray, groups: np.ndarray | None
) -> float | None:
    """Return how well a classifier tells training texts from those of a side; 0.5: not at all.

    Lopez-Paz and Oquab, Revisiting classifier two-sample tests, ICLR 2017.

    Args:
        pooled: (N, D) vectors.
        train, other: rows of the sides.
        groups: (N,) ids; texts of one group stay in one fold.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    first, second = spaced(train, MOST), spaced(other, MOST)
    if min(len(first), len(second)) < LEAST:
        return None
    rows = np.concatenate([first, second])
    side = np.repeat([0, 1], [len(first), len(second)])
    x = pooled[rows] - pooled[rows].mean(axis=0)
    x = x / np.maximum(x.std(axis=0), 1e-6)
    shares = np.full(len(rows), 0.5)
    for learn, held in _folds(rows if groups is None else groups[rows]):
        if len(np.unique(side[learn])) < 2:
            continue
        model = LogisticRegression(
            C=INVERSE_REGULARISATION / len(learn), class_weight="balanced", tol=1e-2
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(x[learn], side[learn])
        shares[held] = model.predict_proba(x[held])[:, 1]
    return float(roc_auc_score(side, shares))


def _folds(groups: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the positions to learn from and those held out, of each fold that has any.

    Groups are dealt at random: scikit-learn's folds of groups take longer than all the fits.
    """
    _, own = np.unique(groups, return_inverse=True)
    fold = np.random.default_rng(0).permutation(int(own.max()) + 1)[own] % FOLDS
    for number in np.unique(fold):
        yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)


def copied_rows(case: Case) -> np.ndarray | None:
    """Return (m,) bool: validation texts with a near-copy in training; None if not known."""
    if case.duplicates is not None:
        return leaked(case.duplicates, case.train, case.validation)
    pooled = pooled_of(case)
    if pooled is None or case.corpus is not None or len(case.train) > MOST_COMPARED:
        return None
    vectors = centred(pooled, case.train)
    return copied_vectors(vectors, case.labels, case.train, case.validation)


def copied_vectors(
    vectors: np.ndarray, labels: np.ndarray, train: np.ndarray, validation: np.ndarray
) -> np.ndarray | None:
    """Return which validation texts have nearly the vector of a training text.

    That is a copy if it is far nearer than training texts usually are to each other, and of the
    same label: vectors that stand for texts of several labels are broken, no copies.

    Args:
        vectors: (N, D) float32 unit vectors.
        labels: (N,) class ids.
        train, validation: rows.

    Returns:
        (m,) bool; None where labels do not agree, or with fewer than two training texts.
    """
    from features.vectors.neighbors import nearest  # imports faiss

    if len(train) < 2:
        return None
    base = np.ascontiguousarray(vectors[train])
    cosines, found = nearest(np.ascontiguousarray(vectors[validation]), base, 1)
    among = nearest(base, base, 2)[0][:, 1]
    usual = 1 - float(np.quantile(among, USUAL))
    copied: np.ndarray = 1 - cosines[:, 0] < min(1 - SAME, NEARER * usual)
    agree = labels[train[found[copied, 0]]] == labels[validation[copied]]
    return None if copied.any() and agree.mean() < AGREE else copied


def _groups(case: Case) -> np.ndarray | None:
    return None if case.duplicates is None else case.duplicates.clusters


def _names(case: Case, ids: np.ndarray) -> tuple[str, ...]:
    """Return the labels of ids that training does not have."""
    if case.corpus is None or case.corpus.labels is None:
        return tuple(f"class {number}" for number in ids.tolist())
    position = {int(case.labels[row]): int(row) for row in case.validation}
    return tuple(case.corpus.labels[position[number]] for number in ids.tolist())


def _mean(right: np.ndarray, chosen: np.ndarray | None) -> float | None:
    return float(right[chosen].mean()) if chosen is not None and chosen.any() else None


def _interval(case: Case, chosen: np.ndarray) -> tuple[float, float] | None:
    if not chosen.any():
        return None
    return accuracy_interval(case.labels[case.validation][chosen], case.predicted[chosen])


def _examples(case: Case, copied: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Return data rows of up to three pairs: a validation text and its copy in training."""
    assert case.duplicates is not None
    found = []
    for row in case.validation[copied][:EXAMPLES].tolist():
        partner = _partner(case.duplicates, row, case.train)
        if partner is not None:
            pair = row, partner
            found.append(
                pair
                if case.corpus is None
                else (case.corpus.rows[row], case.corpus.rows[partner])
            )
    return tuple(found)


def _partner(duplicates: Duplicates, row: int, train: np.ndarray) -> int | None:
    """Return a training row that is a copy of a row."""
    group = duplicates.normalized[row]
    one, other = (
        duplicates.normalized[duplicates.first],
        duplicates.normalized[duplicates.second],
    )
    alike = np.concatenate([[group], other[one == group], one[other == group]])
    rows = train[np.isin(duplicates.normalized[train], alike)]
    return int(rows[0]) if len(rows) else None
