"""Changes of labels: moved back by some rows, two classes merged, suspects left out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from pipeline.doctor.case import Case
from pipeline.doctor.counterfactual import Trial
from pipeline.doctor.measuring.labels.neighbours import (
    Neighbourhood,
    moved_labels,
    neighbourhood_of,
    place_of_break,
)
from pipeline.doctor.measuring.labels.wrong_labels import judged_rows


def moved_back(offset: int) -> Callable[[Case], Trial]:
    """Return a comparison of label agreement as it is, and with labels moved by some rows.

    Behind the break where there is one, else over all texts.
    """

    def compare(case: Case) -> Trial:
        started = time.perf_counter()
        around, place, moved = _moved(case, offset)
        before, after = (
            around.agreement(labels[around.rows])[place:] for labels in (case.labels, moved)
        )
        seconds = time.perf_counter() - started
        return Trial(before, after, "neighbours with the same label", seconds=seconds)

    return compare


def with_moved_back(offset: int) -> Callable[[Case], Case]:
    """Return what gives a case with its labels moved by some rows, as ``moved_back``."""

    def vary(case: Case) -> Case:
        _, _, moved = _moved(case, offset)
        train = case.train[moved[case.train] < len(case.classes)]
        corpus = case.corpus
        if corpus is not None and corpus.labels is not None:
            names = dict(zip(case.labels.tolist(), corpus.labels, strict=True))
            corpus = replace(corpus, labels=tuple(names[one] for one in moved.tolist()))
        return replace(case, labels=moved, train=train, corpus=corpus)

    return vary


def _moved(case: Case, offset: int) -> tuple[Neighbourhood, int, np.ndarray]:
    """Return the neighbours, the place among them from which labels are moved, and labels."""
    around = neighbourhood_of(case)
    assert around is not None
    place = place_of_break(around, case.labels) or 0
    first = int(around.rows[place]) if place else 0
    return around, place, moved_labels(case.labels, offset, first)


def merged(one: int, other: int) -> Callable[[Case], Trial]:
    """Return a comparison of accuracy as it is, and with two classes counted as one."""

    def compare(case: Case) -> Trial:
        labels = case.labels[case.validation]
        pair = np.isin(labels, (one, other)) & np.isin(case.predicted, (one, other))
        return Trial(case.right, case.right | pair)

    return compare


def without_suspects(case: Case) -> Trial:
    """Compare training without suspected labels to training without as many other texts.

    Both are scored on validation texts whose own label is not suspected.
    """
    started = time.perf_counter()
    own, sound = _suspects(case, case.train), _sound(case)
    if not len(own):
        return Trial(case.right[:0], case.right[:0])
    rest = np.setdiff1d(case.train, own)
    random = np.random.default_rng(case.seed)
    drawn = random.choice(rest, min(len(own), len(rest) // 2), replace=False)
    sides = []
    for left_out in (drawn, own):
        trained = case.train_again(train=np.setdiff1d(case.train, left_out))
        logits = trained.logits(case.tables, case.validation, case.device)
        right = logits.argmax(axis=1) == case.labels[case.validation]
        sides.append(right[sound])
    return Trial(sides[0], sides[1], seconds=time.perf_counter() - started)


def leave_out_suspects(case: Case) -> Case:
    """Return the case without suspected labels among the training texts."""
    return replace(case, train=np.setdiff1d(case.train, _suspects(case, case.train)))


def _sound(case: Case) -> np.ndarray:
    """Return (V,) bool: the validation texts whose label is not suspected."""
    both = np.concatenate([case.train, case.validation])
    sound: np.ndarray = ~np.isin(case.validation, _suspects(case, both))
    return sound


def _suspects(case: Case, rows: np.ndarray) -> np.ndarray:
    """Return those of the rows whose label is suspected, by a classifier of these rows alone.

    Training texts are judged without validation: who leaves out what contradicts validation
    texts is right about these more often, whether labels are wrong or not.
    """
    judged = judged_rows(case, rows)
    return np.zeros(0, np.int64) if judged is None else judged.suspected
