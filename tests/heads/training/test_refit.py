"""Learning once more from all texts: the same training, more rows, nothing chosen anew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.errors import BadVectorError
from features.vectors.table import POOLED
from heads.problem import Problem
from heads.registry import HEADS, make_settings
from heads.trained import TrainedHead, fit, refit
from tests.support.tables import cluster_problem, marker_problem

QUICK = {"epochs": 6, "patience": 2}


def trained(name: str, problem: Problem, **settings: object) -> TrainedHead:
    steps = "epochs" in HEADS[name].settings.model_fields
    return fit(
        name,
        make_settings(name, {**(QUICK if steps else {}), **settings}),
        problem.table,
        problem.labels,
        problem.train,
        problem.validation,
        ("a", "b", "c"),
        seed=7,
    )


def problem_for(name: str) -> Problem:
    return cluster_problem() if POOLED in HEADS[name].layouts else marker_problem()


@pytest.mark.parametrize("name", HEADS)
def test_on_the_same_rows_it_gives_the_same_head(name: str) -> None:
    problem = problem_for(name)
    # The path to the optimum is another one there, so the optimum has to be met closely.
    exact = {"tolerance": 1e-9} if name == "logistic" else {}
    first = trained(name, problem, **exact)
    again = refit(first, problem.table, problem.labels, problem.train, 7)
    assert again.history == first.history
    for weight, value in first.state.items():
        if exact:
            np.testing.assert_allclose(again.state[weight], value, atol=1e-4)
        else:
            np.testing.assert_array_equal(again.state[weight], value)


@pytest.mark.parametrize("name", HEADS)
def test_more_rows_change_it_and_the_seed_decides(name: str) -> None:
    problem = problem_for(name)
    first = trained(name, problem)
    rows = np.concatenate([problem.train, problem.validation])
    one, two = (refit(first, problem.table, problem.labels, rows, 7) for _ in range(2))
    assert any(one.state[key].shape != first.state[key].shape for key in first.state) or any(
        not np.array_equal(one.state[key], first.state[key]) for key in first.state
    )
    for key in one.state:
        np.testing.assert_array_equal(one.state[key], two.state[key])


def test_it_learns_what_only_the_added_texts_show() -> None:
    """Labels that only the added texts bear: a nearest neighbour finds them afterwards."""
    problem = cluster_problem(texts=60, spread=0.05)
    table = problem.table
    labels = problem.labels.copy()
    labels[problem.validation] = (labels[problem.validation] + 1) % 3
    moved = Problem(table, labels, problem.train, problem.validation, 3)
    first = trained("knn", moved, k="1")
    rows = problem.validation
    assert (first.logits(table, rows).argmax(axis=1) == labels[rows]).mean() == 0
    again = refit(first, table, labels, np.concatenate([problem.train, rows]), 7)
    assert (again.logits(table, rows).argmax(axis=1) == labels[rows]).mean() == 1


def test_a_bad_vector_among_the_added_texts_is_named() -> None:
    problem = marker_problem()
    first = trained("cnn", problem)
    values = problem.table.values.copy()
    bad = int(problem.validation[3])
    values[problem.table.offsets[bad]] = np.nan
    table = replace(problem.table, values=values)
    rows = np.concatenate([problem.train, problem.validation])
    with pytest.raises(BadVectorError, match=f"text {bad} "):
        refit(first, table, problem.labels, rows, 7)
