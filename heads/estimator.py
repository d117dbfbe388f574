"""HeadClassifier: the heads as scikit-learn classifiers.

The only module of ``heads`` that imports scikit-learn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from features.errors import ArrayError, SettingError
from features.messages import clipped
from features.tables import Features, FeatureTables, as_tables
from features.vectors.table import POOLED, TOKENS, FeatureTable
from features.words.table import WordTable
from heads.device import AUTO
from heads.evaluation.calibration import fit_temperature
from heads.registry import check_layout, device_of, head_type, make_settings
from heads.trained import fit, refit

NESTED = "settings__"
"""Prefix of the settings' names in a grid."""

Tables = Features | FeatureTables
Vectors = Tables | np.ndarray | Sequence[np.ndarray]

TABLES = (FeatureTable, WordTable, FeatureTables)


class HeadClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A head over vectors of texts, as a scikit-learn classifier.

    The input has one of three forms: (N, D) pooled vectors; a table, which ``FeatureEncoder``
    returns for the sequence layouts and for words; or N arrays (T, D) with the vectors of one
    text each.

    Args:
        head: name of the head; ``manyheads heads`` lists them.
        settings: settings that differ from the head's defaults. In a grid each one is a
            parameter, such as ``settings__units``.
        validation_fraction: share of the texts, in (0, 1), drawn in the same share from every
            class. They decide when training stops, choose the best epoch, and determine the
            temperature of the probabilities. After that the head is trained again on all texts;
            with the setting ``refit=False`` it is not.
        random_state: seed of the validation texts and of everything random in training. The
            default makes fits repeatable; None takes another seed every time.
        device: what to learn and predict on: ``auto`` (a GPU if torch finds one), ``cpu``,
            ``cuda``, ``cuda:N`` or ``mps``. ``logistic`` and ``knn`` stay on the processor.

    Attributes:
        classes_: (C,) the labels, sorted.
        n_features_in_: D of the vectors; 0 of words alone.
        trained_: the ``heads.trained.TrainedHead``, with its history.
    """

    def __init__(
        self,
        head: str = "logistic",
        *,
        settings: Mapping[str, object] | None = None,
        validation_fraction: float = 0.15,
        random_state: int | np.random.RandomState | None = 0,
        device: str = AUTO,
    ) -> None:
        self.head = head
        self.settings = settings
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.device = device

    def fit(self, X: Vectors, y: Any) -> HeadClassifier:
        """Train the head on the vectors of N texts and their (N,) labels.

        Raises:
            SettingError: there is no such head, setting or device, or the head takes another
                layout.
            ArrayError, ValueError: the vectors or labels are not usable, or there are fewer
                than two classes.
            BadVectorError: a vector of a sequence is not finite.
            DivergedError: the loss became NaN or infinite.
            DeviceMemoryError: the memory of a GPU does not suffice.
        """
        if not isinstance(self.settings, Mapping | None):
            raise SettingError(
                f"settings takes a dict of settings by name; got {self.settings!r}"
            )
        settings = make_settings(self.head, self.settings or {})
        device = device_of(self.head, self.device)
        if not 0 < self.validation_fraction < 1:
            raise SettingError(
                "validation_fraction must lie between 0 and 1, both left out; got "
                f"{self.validation_fraction!r}"
            )
        refuse_missing(y)
        table, y = self._read(X, y)
        check_layout(self.head, table.layout)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ArrayError(
                f"{type(self).__name__} needs at least 2 classes to tell apart; the "
                f"{len(labels)} labels given hold 1 class: {self.classes_[0]!r}"
            )
        random = np.random.default_rng(check_random_state(self.random_state).randint(2**31))
        train, validation = hold_out(labels, self.validation_fraction, random)
        seed = int(random.integers(2**31))
        names = tuple(map(str, self.classes_))
        ids = labels.astype(np.int64)
        sides = train, validation, names
        chosen = fit(self.head, settings, table, ids, *sides, seed, device=device)
        temperature = fit_temperature(ids[validation], chosen.logits(table, validation, device))
        every = np.arange(len(table))
        trained = refit(chosen, table, ids, every, seed, device) if settings.refit else chosen
        self.trained_ = replace(trained, temperature=temperature)
        self._named = isinstance(X, TABLES)
        return self

    def predict(self, X: Vectors) -> np.ndarray:
        """Return (N,) the most probable label of each text. Raises like ``predict_proba``."""
        best = self.predict_proba(X).argmax(axis=1)
        labels: np.ndarray = self.classes_[best]
        return labels

    def predict_proba(self, X: Vectors) -> np.ndarray:
        """Return (N, C) float32 probabilities, in the order of ``classes_``.

        Raises:
            NotFittedError: :meth:`fit` was not called.
            SettingError, ArrayError, ValueError: the vectors have another form or width than in
                :meth:`fit`.
        """
        check_is_fitted(self)
        table, _ = self._read(X)
        device = device_of(self.trained_.head, self.device)
        return self.trained_.predict_proba(table, np.arange(len(table)), device)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the constructor's arguments; if ``deep``, also every given setting."""
        params: dict[str, Any] = super().get_params(deep)
        if deep and isinstance(self.settings, Mapping):
            params |= {NESTED + name: value for name, value in self.settings.items()}
        return params

    def set_params(self, **params: Any) -> HeadClassifier:
        """Change constructor arguments; ``settings__NAME`` changes one setting."""
        inner = {
            name.removeprefix(NESTED): params.pop(name)
            for name in list(params)
            if name.startswith(NESTED)
        }
        super().set_params(**params)
        if inner:
            self.settings = {**(self.settings or {}), **inner}
        return self

    def _read(self, X: Vectors, *y: Any) -> tuple[FeatureTables, np.ndarray]:
        """Return the input as tables and the labels as (N,); with labels it is a fit."""
        _refuse_texts(X)
        if not isinstance(X, TABLES) and not _holds_sequences(X):
            # The plain array of scikit-learn, with its own checks and messages.
            checked = validate_data(self, X, *y, reset=bool(y), dtype=np.float32)
            vectors, labels = checked if y else (checked, np.empty(0))
            pooled = FeatureTable(vectors, np.arange(len(vectors) + 1), POOLED)
            return as_tables(pooled), labels
        table = X if isinstance(X, TABLES) else _join(X, self._sequence_layout())
        if not y:
            # Arrays do not say what their vectors stand for: they are what was learned from.
            learned = self.trained_.layout
            unnamed = not (self._named and isinstance(X, TABLES))
            if (
                isinstance(table, FeatureTable)
                and unnamed
                and POOLED not in (learned, table.layout)
            ):
                table = replace(table, layout=learned)
            return as_tables(table), np.empty(0)
        labels = validate_data(self, "no_validation", *y)
        check_consistent_length(table, labels)
        tables = as_tables(table)
        self.n_features_in_ = tables.width
        return tables, labels

    def _sequence_layout(self) -> str:
        layouts = head_type(self.head).layouts
        return next((layout for layout in layouts if layout != POOLED), TOKENS)


def _refuse_texts(X: Any) -> None:
    """Raise an ArrayError for texts in place of their vectors."""
    if isinstance(X, TABLES) or getattr(X, "ndim", 1) != 1:
        return
    first = X if isinstance(X, str) else next(iter(X), None) if hasattr(X, "__iter__") else None
    if isinstance(first, str):
        raise ArrayError(
            f"a head takes vectors, and got texts, the first {clipped(first)}; encode them "
            "first: make_pipeline(FeatureEncoder(), HeadClassifier()), with FeatureEncoder "
            "from features"
        )


def refuse_missing(y: Any) -> None:
    """Raise an ``ArrayError`` for labels that are None or NaN, which NumPy would make a class
    "nan".
    """
    objects = getattr(getattr(y, "dtype", None), "kind", "") == "O"
    if not (objects or isinstance(y, list | tuple)):
        return  # of numbers scikit-learn itself refuses NaN
    rows = [row for row, label in enumerate(y) if _is_missing(label)]
    if rows:
        raise ArrayError(
            f"{len(rows):,} of the labels are missing (None or NaN), the first in row "
            f"{rows[0] + 1:,}; leave these rows out, or name a class for them"
        )


def _is_missing(label: Any) -> bool:
    unordered = isinstance(label, float | np.floating) and label != label
    return label is None or unordered or type(label).__name__ in ("NAType", "NaTType")


def hold_out(
    labels: np.ndarray, fraction: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw validation rows with the same share of every class.

    The rows are sorted by class and shuffled within each class, and every (1 / fraction)-th row
    is held out, at least one. No class loses its last training row.

    Args:
        labels: (N,) int64 in 0..C-1, every class present.
        fraction: share to hold out, in (0, 1).
        random: generator of the shuffles.

    Returns:
        (n,) int64 training rows and (m,) int64 validation rows, together all rows.

    Raises:
        ArrayError: no class has two rows.
    """
    count, sizes = len(labels), np.bincount(labels)
    if sizes.max() < 2:
        raise ArrayError(
            f"a text of some class must be held out to validate by, but each of the {count} "
            "texts is the only one of its class: give more texts per class"
        )
    order = np.lexsort((random.random(count), labels))
    marks = np.floor((np.arange(count) + random.random()) * fraction)
    chosen = np.flatnonzero(np.diff(marks, prepend=0) > 0)
    first = np.cumsum(sizes) - sizes
    whole = np.bincount(labels[order[chosen]], minlength=len(sizes)) == sizes
    chosen = np.setdiff1d(chosen, first[whole])
    if len(chosen) == 0:
        chosen = first[[sizes.argmax()]]
    return np.sort(np.delete(order, chosen)), np.sort(order[chosen])


def _holds_sequences(X: Any) -> bool:
    """Return whether ``X`` is N arrays (T, D) and not one array (N, D)."""
    if isinstance(X, np.ndarray) and X.dtype != object:
        return X.ndim == 3
    if not isinstance(X, (list, tuple, np.ndarray)) or getattr(X, "ndim", 1) != 1 or not len(X):
        return False
    return isinstance(X[0], np.ndarray) and X[0].ndim == 2


def _join(sequences: np.ndarray | Sequence[np.ndarray], layout: str) -> FeatureTable:
    """Join N arrays (T, D) to a table."""
    arrays = [np.asarray(each) for each in sequences]
    width = arrays[0].shape[-1]
    for row, each in enumerate(arrays):
        if each.ndim != 2 or len(each) == 0 or each.shape[1] != width:
            raise ArrayError(
                f"every text needs an array (T, {width}), T at least 1 and the width that of "
                f"the first; that of text {row} is of shape {each.shape}"
            )
        if each.dtype.kind not in "fiub":
            raise ArrayError(f"vectors must be numbers; those of text {row} are {each.dtype}")
    values = np.concatenate(arrays)
    if values.dtype not in (np.float16, np.float32):
        values = values.astype(np.float32)
    offsets = np.concatenate([[0], np.cumsum([len(each) for each in arrays])])
    return FeatureTable(values, offsets.astype(np.int64), layout)
