"""M10: whether the sides are alike. Of test, texts and labels alone are compared."""

from __future__ import annotations

import warnings

import numpy as np

from features.duplicates.duplicates import Duplicates, leaked
from heads.evaluation.metrics import accuracy_interval
from pipeline.doctor.case import Case
from pipeline.doctor.measurements import Sides
from pipeline.doctor.measuring.pooled import pooled_of
from pipeline.doctor.measuring.vectors import spaced

MOST = 1000
"""Texts of a side by which the sides are told apart."""

LEAST = 30
"""With fewer texts of a side its AUC is not measured."""

FOLDS = 5

INVERSE_REGULARISATION = 0.1
"""Of standardised features: a stronger penalty finds differences of means as well."""

EXAMPLES = 3


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
    copied = _copied(case)
    right = case.right
    return Sides(
        auc_validation=aucs["validation"],
        auc_test=aucs["test"],
        apart_validation=apart(labels[case.train], labels[case.validation]),
        apart_test=apart(labels[case.train], labels[case.test]) if len(case.test) else 0.0,
        runs_z=runs_z(labels),
        missing_in_training=_names(case, unknown),
        official=case.corpus is not None and case.corpus.splits is not None,
        copied=0 if copied is None else int(copied.sum()),
        compared=0 if copied is None else len(copied),
        copied_accuracy=_mean(right, copied),
        uncopied_accuracy=None if copied is None else _mean(right, ~copied),
        uncopied_interval=None if copied is None else _interval(case, ~copied),
        examples=() if copied is None else _examples(case, copied),
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
    from sklearn.model_selection import StratifiedGroupKFold

    first, second = spaced(train, MOST), spaced(other, MOST)
    if min(len(first), len(second)) < LEAST:
        return None
    rows = np.concatenate([first, second])
    side = np.repeat([0, 1], [len(first), len(second)])
    x = pooled[rows] - pooled[rows].mean(axis=0)
    x = x / np.maximum(x.std(axis=0), 1e-6)
    own = rows if groups is None else groups[rows]
    shares = np.zeros(len(rows))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    for learn, held in folds.split(x, side, own):
        model = LogisticRegression(
            C=INVERSE_REGULARISATION / len(learn), class_weight="balanced", tol=1e-2
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(x[learn], side[learn])
        shares[held] = model.predict_proba(x[held])[:, 1]
    return float(roc_auc_score(side, shares))


def copied_rows(case: Case) -> np.ndarray | None:
    """Return (m,) bool: validation texts with a near-copy in training; None if not known."""
    return _copied(case)


def _copied(case: Case) -> np.ndarray | None:
    if case.duplicates is None:
        return None
    return leaked(case.duplicates, case.train, case.validation)


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
