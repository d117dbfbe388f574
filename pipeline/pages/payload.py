"""The data of a page: what its script draws, lists and searches, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.pages.figures.projection import Projection
from pipeline.pages.test_texts import TestTexts
from pipeline.prediction.explain import strongest
from pipeline.runs.files.misclassified import Misclassified

MAX_TEXTS = 50_000
"""Test texts on the map and in the list, at most; of more, a sample."""

BUDGET = 8_000_000
"""Characters of all texts together, about; each is cut so that they fit."""

SHORTEST, LONGEST_RIGHT, LONGEST_WRONG = 40, 240, 1000
"""Characters of a text at least, and at most, where the run is right and where it is wrong."""

MAX_EXPLAINED = 2000
"""Errors whose nearest training texts are shown: the surest."""

LONGEST_NEIGHBOUR = 200

MOST_WORDS = 8
"""Words of an error that are shown: those of greatest weight."""


@dataclass(frozen=True, eq=False)
class Listed:
    """The test texts that a page has, as indices of all test texts.

    Attributes:
        chosen: (m,) int64, in their order.
        whole: whether these are all.
    """

    chosen: np.ndarray
    whole: bool

    @classmethod
    def of(cls, tests: TestTexts) -> Listed:
        """Return all texts of a run, or a sample where those are too many."""
        count = len(tests.labels)
        if count <= MAX_TEXTS:
            return cls(np.arange(count), True)
        random = np.random.default_rng(0)
        return cls(np.sort(random.choice(count, MAX_TEXTS, replace=False)), False)


def payload(
    tests: TestTexts,
    listed: Listed,
    texts: Mapping[int, str],
    counts: np.ndarray,
    order: np.ndarray,
    errors: Sequence[Misclassified],
    places: Projection | None,
) -> dict[str, Any]:
    """Return the data of a page.

    Args:
        tests: of the run.
        listed: which of them the page has.
        texts: by data row; one may be missing.
        counts: (K, K) of label and prediction.
        order: (K,) class ids as the matrix shows them.
        errors: with their neighbours, the surest first.
        places: of the listed texts on the map; None without a map.
    """
    chosen = listed.chosen
    rows = tests.rows[chosen].tolist()
    right = tests.right[chosen]
    limit = BUDGET // max(1, len(chosen))
    limits = np.where(right, min(limit, LONGEST_RIGHT), min(limit, LONGEST_WRONG))
    confidence = np.rint(tests.confidence[chosen] * 1000).astype(int)
    wrong = np.flatnonzero(~right)
    surest = wrong[np.argsort(-tests.confidence[chosen][wrong], kind="stable")]
    used = [i for i in order.tolist() if counts[i].any() or counts[:, i].any()]
    cells = np.argwhere(counts)
    return {
        "labels": list(tests.names.all),
        "order": used,
        "cells": np.column_stack([cells, counts[tuple(cells.T)]]).ravel().tolist(),
        "row": rows,
        "label": tests.labels[chosen].tolist(),
        "predicted": tests.predicted[chosen].tolist(),
        "confidence": confidence.tolist(),
        "text": [
            cut(texts.get(row), max(SHORTEST, most))
            for row, most in zip(rows, limits.tolist(), strict=True)
        ],
        "errors": surest.tolist(),
        "neighbours": _neighbours(rows, errors),
        "words": _words(rows, errors),
        "places": None if places is None else places.places.ravel().tolist(),
    }


def cut(text: str | None, most: int) -> str | None:
    """Return the beginning of a text; None where there is no text."""
    if text is None or len(text) <= most:
        return text
    return f"{text[: most - 1]}…"


def _neighbours(rows: Sequence[int], errors: Sequence[Misclassified]) -> dict[str, Any]:
    """Return the training texts that are near to errors, each once, and by data row which."""
    here = set(rows)
    pool: dict[int, int] = {}
    found: list[list[Any]] = []
    near: dict[str, list[list[float]]] = {}
    for error in errors[:MAX_EXPLAINED]:
        if error.row not in here:
            continue
        for each in error.neighbors:
            if each.row not in pool:
                pool[each.row] = len(found)
                found.append([each.row, each.label, cut(each.text, LONGEST_NEIGHBOUR)])
        near[str(error.row)] = [[pool[each.row], each.similarity] for each in error.neighbors]
    return {"pool": found, "of": near}


def _words(rows: Sequence[int], errors: Sequence[Misclassified]) -> dict[str, Any]:
    """Return the words that decided errors with their weights, by data row."""
    here = set(rows)
    return {
        str(error.row): [
            [each.word, each.weight] for each in strongest(error.words, MOST_WORDS)
        ]
        for error in errors
        if error.words and error.row in here
    }
