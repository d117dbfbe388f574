"""Fit the model of words: C by validation."""

from __future__ import annotations

import time

import numpy as np

from features.words.table import WordTable
from heads.evaluation.metrics import accuracy, log_loss
from heads.newton import ROUGH
from heads.problem import EpochRecord, OnEpoch
from heads.words.model import WordModel
from heads.words.solver import SparseObjective
from heads.words.tfidf import Tfidf, learn_tfidf

C = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
"""Inverse regularisations to choose from; the loss on validation has one minimum over them."""

SOFTER = (1e-2, 1e-1)
"""Shares of C that a refit solves roughly first: at a large C the texts that are new to the
weights pull hard, and straight to the optimum took twice the time."""


def fit_words(
    table: WordTable,
    labels: np.ndarray,
    train: np.ndarray,
    validation: np.ndarray,
    classes: int,
    on_epoch: OnEpoch | None = None,
) -> tuple[WordModel, tuple[EpochRecord, ...], int]:
    """Fit for rising values of C until the validation loss rises; return the best.

    Args:
        table: words of N texts.
        labels: (N,) int64 class ids, those of training rows below ``classes``.
        train, validation: int64 rows of the table.
        classes: number of classes.
        on_epoch: called with the record of every value of C.

    Returns:
        The model, the records, and the number of the best one, from 1.
    """
    tfidf = learn_tfidf(table, train, labels[train])
    x, y = tfidf.transform(table, train), labels[train]
    held_out = tfidf.transform(table, validation)
    objective = SparseObjective(x, y, classes)
    history: list[EpochRecord] = []
    best, best_loss = 0, np.inf
    for c in C:
        started = time.perf_counter()
        weights, bias = objective.minimize(c)
        record = _record(
            len(history) + 1,
            c,
            (x @ weights + bias, y),
            (held_out @ weights + bias, labels[validation]),
            started,
        )
        history.append(record)
        if on_epoch is not None:
            on_epoch(record)
        if not history[1:] or record.held_out_loss < best_loss:
            best, best_loss = record.epoch, record.held_out_loss
            model = WordModel(tfidf.ids, tfidf.idf, weights.astype(np.float16), bias)
        else:
            break
    return model, tuple(history), best


def refit_words(
    table: WordTable, labels: np.ndarray, rows: np.ndarray, near: WordModel, c: float
) -> WordModel:
    """Fit for one C; arguments as for :func:`fit_words`.

    Args:
        near: a model of much the same texts, at whose weights the fit begins; its share stays.
    """
    tfidf = learn_tfidf(table, rows, labels[rows])
    objective = SparseObjective(tfidf.transform(table, rows), labels[rows], len(near.bias))
    objective.start_at(_known_weights(near, tfidf), near.bias)
    for softer in (share * c for share in SOFTER):
        if softer >= C[0]:
            objective.minimize(softer, ROUGH)
    weights, bias = objective.minimize(c)
    return WordModel(tfidf.ids, tfidf.idf, weights.astype(np.float16), bias, near.share)


def _known_weights(near: WordModel, tfidf: Tfidf) -> np.ndarray:
    """Return (V, C) float32: the weights of a model, 0 for n-grams that it lacks."""
    weights = np.zeros((len(tfidf.ids), len(near.bias)), np.float32)
    _, own, there = np.intersect1d(tfidf.ids, near.ids, assume_unique=True, return_indices=True)
    weights[own] = near.weights[there]
    return weights


def _record(
    epoch: int,
    c: float,
    seen: tuple[np.ndarray, np.ndarray],
    held_out: tuple[np.ndarray, np.ndarray],
    started: float,
) -> EpochRecord:
    """Return the record of a value of C, from (logits, labels) of both sides."""
    return EpochRecord(
        epoch=epoch,
        train_loss=log_loss(seen[1], seen[0]),
        train_accuracy=accuracy(seen[1], seen[0].argmax(axis=1)),
        validation_loss=log_loss(held_out[1], held_out[0]),
        validation_accuracy=accuracy(held_out[1], held_out[0].argmax(axis=1)),
        value=c,
        seconds=time.perf_counter() - started,
        gradient_norm=0.0,
    )
