"""``manyheads.examine``: what is wrong with a classifier that was written elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from features.errors import ArrayError
from features.vectors.table import POOLED, TOKENS, FeatureTable
from heads.problem import Problem
from pipeline.doctor.foreign.classifier import examine_classifier
from pipeline.doctor.foreign.examination import (
    ForeignDiagnosis,
    examine_estimator,
    examine_given,
    examine_module,
)

HELD_OUT = 0.2
"""Share of the texts that validates."""


def examine(
    classifier: Any,
    table: FeatureTable | np.ndarray | Sequence[np.ndarray],
    labels: Any,
    *,
    prove: bool = True,
    budget: float | None = None,
    epochs: int = 20,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    seed: int = 0,
    loop: Callable[..., object] | None = None,
) -> ForeignDiagnosis:
    """Say what is wrong with a PyTorch module or a scikit-learn estimator, with proof.

    It is trained here on four fifths of the texts, by a plain loop, and judged by the others.

    Args:
        classifier: a function (width, classes) -> ``torch.nn.Module``; a module; or an object
            with ``fit`` and ``predict_proba``, which gets one averaged vector per text. A
            module that is already trained, or an estimator that is fitted, is examined as it
            is; it must know the classes in sorted order. Otherwise a copy is trained. A
            ``HeadClassifier`` is trained anew by its settings, and its steps, size and
            regularisation are looked at as those of a run.
        table: vectors of N texts: a ``FeatureTable``, (N, D), or N arrays (T, D).
        labels: (N,) labels.
        prove: train again with one thing changed, to prove a cause.
        budget: seconds for that; None: as long as one training, or a minute if that is longer.
        epochs, batch_size, learning_rate: of the plain loop, for modules.
        seed: of the sides and of everything random in training.
        loop: a training loop of your own for a function that makes a module: it gets (module,
            vectors (n, T, D), mask (n, T), labels (n,)) and trains in place. It is set against
            the plain one.

    Returns:
        The diagnosis; ``to_text()`` tells it, ``verdict.findings`` has the findings.

    Raises:
        ModuleError: the classifier fails, or returns something else than (B, C).
        ArrayError: vectors or labels that cannot be used.
    """
    from torch.nn import Module

    from heads.estimator import HeadClassifier
    from heads.examination.learning import Loop

    problem = _problem(_table(table), labels, seed)
    plain = Loop(epochs, batch_size, learning_rate, seed)
    name = getattr(classifier, "__name__", type(classifier).__name__)
    shared: dict[str, Any] = {"prove": prove, "budget": budget}
    if isinstance(classifier, Module):
        return ForeignDiagnosis(name, examine_given(classifier, problem, plain, name, **shared))
    if isinstance(classifier, HeadClassifier):
        name = f"HeadClassifier({classifier.head!r})"
        return ForeignDiagnosis(name, examine_classifier(classifier, problem, seed, **shared))
    if callable(getattr(classifier, "predict_proba", None)):
        return ForeignDiagnosis(name, examine_estimator(classifier, problem, name, **shared))
    if not callable(classifier):
        raise ArrayError(
            "examine takes a torch.nn.Module, a function (width, classes) that makes one, or "
            f"an object with fit and predict_proba; got a {type(classifier).__name__}"
        )
    build = _builder(classifier, problem)
    verdict = examine_module(build, problem, plain, name, own_loop=loop, **shared)
    return ForeignDiagnosis(name, verdict)


def _builder(function: Callable[..., Any], problem: Problem) -> Callable[[], Any]:
    return lambda: function(problem.table.width, problem.classes)


def _table(table: Any) -> FeatureTable:
    """Return vectors as a table.

    Raises:
        ArrayError: they are not numbers of one of the forms.
    """
    if isinstance(table, FeatureTable):
        return table
    if isinstance(table, np.ndarray) and table.ndim == 2:
        values = np.ascontiguousarray(table, dtype=np.float32)
        return FeatureTable(values, np.arange(len(values) + 1, dtype=np.int64), POOLED)
    arrays = [np.asarray(each, dtype=np.float32) for each in table]
    if not arrays or any(
        each.ndim != 2 or len(each) == 0 or each.shape[1] != arrays[0].shape[1]
        for each in arrays
    ):
        raise ArrayError(
            "vectors are a FeatureTable, an array (N, D), or N arrays (T, D) with at least one "
            "vector each and one width"
        )
    offsets = np.concatenate([[0], np.cumsum([len(each) for each in arrays])])
    return FeatureTable(np.concatenate(arrays), offsets.astype(np.int64), TOKENS)


def _problem(table: FeatureTable, labels: Any, seed: int) -> Problem:
    """Return the problem of labelled vectors, a fifth of every class held out.

    Raises:
        ArrayError: the labels are not one per text, missing, or of one class.
    """
    from heads.estimator import hold_out, refuse_missing  # imports scikit-learn

    given = np.asarray(labels)
    if given.shape != (len(table),):
        raise ArrayError(f"{len(table):,} texts need one label each; got shape {given.shape}")
    refuse_missing(given.tolist())
    try:
        names, ids = np.unique(given, return_inverse=True)
    except TypeError as error:
        kinds = ", ".join(sorted({type(each).__name__ for each in given.tolist()}))
        raise ArrayError(f"labels must be of one kind; got {kinds}") from error
    if len(names) < 2:
        raise ArrayError(f"labels must be of at least 2 classes; all are {str(names[0])!r}")
    values = table.values
    if not np.isfinite(values).all():
        raise ArrayError("vectors must be finite; some are NaN or infinite")
    ids = ids.astype(np.int64)
    train, validation = hold_out(ids, HELD_OUT, np.random.default_rng(seed))
    return Problem(table, ids, train, validation, len(names), tuple(map(str, names)))
