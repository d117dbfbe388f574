"""``max_vectors``: a head that sees the start of each text, without encoding anything again."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from features.vectors.table import FeatureTable
from heads.problem import Problem
from heads.registry import make_settings
from heads.trained import TrainedHead, fit
from heads.training.batches import batches, gather
from tests.support.tables import make_table, marker_problem

MOST = 4


def cut(table: FeatureTable, most: int) -> FeatureTable:
    """The table of texts that were never longer."""
    parts = [table.sequence(row)[:most] for row in range(len(table))]
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])])
    return FeatureTable(np.concatenate(parts), offsets, table.layout)


def train(name: str, problem: Problem, max_vectors: int) -> TrainedHead:
    settings = make_settings(name, {"epochs": 2, "max_vectors": max_vectors})
    rows = (problem.train, problem.validation)
    return fit(name, settings, problem.table, problem.labels, *rows, ("a", "b", "c"), seed=0)


def test_the_first_vectors_are_gathered() -> None:
    table = make_table([2, 9, 4])
    batch = gather(table, np.array([1, 0]), max_vectors=3)
    assert batch.mask.sum(dim=1).tolist() == [3, 2]
    assert np.array_equal(batch.x[0].numpy(), table.sequence(1)[:3])
    widths = [each.x.shape[1] for _, each in batches(table, np.arange(3), 1, max_vectors=3)]
    assert widths == [2, 3, 3]


@pytest.mark.parametrize("name", ["cnn", "lstm"])
def test_it_is_as_if_the_texts_were_shorter(name: str) -> None:
    problem = marker_problem()
    short = Problem(
        cut(problem.table, MOST), problem.labels, problem.train, problem.validation, 3
    )
    ours, theirs = train(name, problem, MOST), train(name, short, 0)
    for key, value in ours.state.items():
        assert value.tobytes() == theirs.state[key].tobytes(), key
    rows = problem.validation
    whole = ours.logits(problem.table, rows)
    assert np.array_equal(whole, theirs.logits(short.table, rows))
    assert not np.allclose(whole, theirs.logits(problem.table, rows))


@pytest.mark.parametrize("name", ["cnn", "lstm"])
def test_the_head_itself_looks_no_further(name: str) -> None:
    """So that an exported head needs no help from the batches."""
    problem = marker_problem()
    trained = train(name, problem, MOST)
    rows = problem.validation[problem.table.lengths[problem.validation] > MOST]
    batch, short = gather(problem.table, rows), gather(problem.table, rows, MOST)
    batch.x[:, MOST:] = torch.nan
    with torch.no_grad():
        got, expected = trained.module(batch.x, batch.mask), trained.module(short.x, short.mask)
    largest = float((got - expected).abs().max())
    print(f"largest difference: {largest:.1e}")
    assert largest < 1e-5
