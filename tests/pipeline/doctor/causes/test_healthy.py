"""The defaults of every head are healthy: in real small trainings nothing is suspected.

And the same trainings with one thing spoiled lead to the cause that was planted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from features.vectors.table import POOLED, TOKENS, FeatureTable
from heads.problem import Problem
from heads.registry import HEADS, head_type
from pipeline.doctor.case import Case
from pipeline.doctor.conclusion import is_ill
from pipeline.doctor.examination import examine
from pipeline.doctor.measurements import Measurements
from pipeline.doctor.measuring.collection import measure
from pipeline.doctor.measuring.pooled import means, pooled_table
from tests.support.doctor.cases import suspected, trained_case

TEXTS, WIDTH, CLASSES = 360, 24, 4


def signals(place: str = "anywhere", length: int = 8, strength: float = 3.0) -> Problem:
    """Return texts of random vectors with the vector of their class at two positions."""
    random = np.random.default_rng(0)
    labels = random.integers(0, CLASSES, TEXTS)
    centers = random.normal(size=(CLASSES, WIDTH))
    centers *= strength / np.linalg.norm(centers, axis=1, keepdims=True)
    lengths = random.integers(length // 2, length + 1, TEXTS)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    values = random.normal(size=(offsets[-1], WIDTH))
    for row in range(TEXTS):
        free = random.permutation(lengths[row])[:2]
        chosen = np.arange(2) if place == "first" else free
        values[offsets[row] + chosen] += centers[labels[row]]
    table = FeatureTable(values.astype(np.float32), offsets, TOKENS)
    rows = random.permutation(TEXTS)
    return Problem(table, labels, np.sort(rows[:240]), np.sort(rows[240:]), CLASSES)


@pytest.fixture(scope="module")
def problem() -> Problem:
    return signals()


def of_head(problem: Problem, head: str) -> Problem:
    """Return the problem in the layout that a head takes."""
    if head_type(head).layouts[0] != POOLED:
        return problem
    return replace(problem, table=pooled_table(means(problem.table)))


def measured(case: Case) -> Measurements:
    found, left_out = measure(case)
    assert left_out == ()
    return found


def names(found: Measurements) -> list[str]:
    return [each.cause.name for each in suspected(found)]


@pytest.mark.parametrize("head", HEADS)
def test_the_defaults_of_every_head_are_healthy(problem: Problem, head: str) -> None:
    found = measured(trained_case(of_head(problem, head), head))
    assert names(found) == []
    assert not is_ill(found)


@pytest.mark.parametrize(
    ("cause", "head", "settings"),
    [
        (
            "step_too_large",
            "cnn",
            {
                "optimizer": "rmsprop",
                "learning_rate": 0.5,
                "schedule": "constant",
                "warmup": 0,
                "averaging": 0,
            },
        ),
        (
            "step_too_small",
            "cnn",
            {
                "optimizer": "adam",
                "learning_rate": 2e-5,
                "schedule": "constant",
                "warmup": 0,
                "epochs": 12,
            },
        ),
        (
            "dead_or_saturated",
            "mlp",
            {
                "dense": "64,64",
                "dense_init": "normal",
                "dense_std": "9",
                "dense_activation": "tanh",
            },
        ),
        ("too_small_head", "mlp", {"dense": "1", "dropout": 0}),
    ],
)
def test_a_spoiled_setting_leads(
    problem: Problem, cause: str, head: str, settings: dict[str, Any]
) -> None:
    found = measured(trained_case(of_head(problem, head), head, **settings))
    assert names(found)[:1] == [cause]


def test_a_training_cut_short_is_proven_by_the_defaults(problem: Problem) -> None:
    short = {"precision": "float32", "batch_size": 32, "filters": 64, "epochs": 1}
    found = examine(trained_case(problem, "cnn", **short))
    assert found.measurements.defaults_ahead > 0.1
    first = found.findings[0]
    assert (first.cause, first.certainty) == ("too_few_steps", "proven")
    assert first.tried[0].change == "back to epochs=20"


def test_shuffled_labels_lead(problem: Problem) -> None:
    shuffled = np.random.default_rng(1).permutation(problem.labels)
    pooled = replace(of_head(problem, "mlp"), labels=shuffled)
    found = measured(trained_case(pooled, "mlp"))
    assert names(found)[:1] == ["labels_unrelated"]


def test_a_last_state_of_long_texts_leads() -> None:
    long = signals("first", length=160)
    given = {"pooling": "last", "bidirectional": False, "units": 8, "epochs": 3}
    found = measured(trained_case(long, "lstm", **given))
    assert names(found)[:1] == ["long_last_state"]


@pytest.mark.parametrize("head", ["mlp", "knn"])
def test_repeated_vectors_lead(problem: Problem, head: str) -> None:
    pooled = of_head(problem, head)
    rows = np.random.default_rng(7).integers(0, 5, TEXTS)
    broken = replace(pooled, table=pooled_table(pooled.table.values[rows]))
    assert names(measured(trained_case(broken, head)))[:1] == ["vectors_broken"]
