"""What order, separate vectors and capacity are worth, where it is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.errors import SettingError
from features.vectors.table import TOKENS, FeatureTable
from heads.problem import Problem
from pipeline.doctor.controls import averaged, check_sequence, run_controls, shuffled, units_of
from tests.support.doctor.cases import trained_case
from tests.support.tables import WIDTH, cluster_problem, make_table, marker_problem, split

QUICK = {"epochs": 8, "learning_rate": 0.02, "patience": 8, "batch_size": 32}


def ordered_problem(texts: int = 320) -> Problem:
    """Feature 0 stands out before feature 1, or after it: two classes, one mean."""
    random = np.random.default_rng(0)
    length = 6
    values = random.normal(size=(texts, length, WIDTH)) * 0.2
    labels = np.arange(texts, dtype=np.int64) % 2
    for row, label in enumerate(labels):
        first, second = np.sort(random.choice(length, 2, replace=False))
        values[row, first, label] += 4.0
        values[row, second, 1 - label] += 4.0
    offsets = np.arange(texts + 1, dtype=np.int64) * length
    table = FeatureTable(values.reshape(-1, WIDTH).astype(np.float32), offsets, TOKENS)
    return split(table, labels)


def test_tables_of_the_controls() -> None:
    table = make_table([3, 1, 4], dtype="float32")
    mixed = shuffled(table, 0)
    for row in range(3):
        assert np.array_equal(
            np.sort(mixed.sequence(row), axis=0), np.sort(table.sequence(row), axis=0)
        )
    assert not np.array_equal(mixed.values, table.values)
    mean = averaged(table)
    assert mean.lengths.tolist() == [1, 1, 1]
    assert np.allclose(mean.sequence(2)[0], table.sequence(2).mean(axis=0), atol=1e-6)
    units = units_of(10_000, 384, 7)
    assert 384 * units + units + 7 * units + 7 <= 10_000 < 393 * (units + 1)


def test_where_order_decides_it_counts() -> None:
    case = trained_case(ordered_problem(), "lstm", units=16, dropout=0, **QUICK)
    found = run_controls(case)
    assert found.share("order").beyond_noise
    assert found.share("order").points > 0.2
    assert found.conclusion.startswith("The order counts")
    mlp, own = found.controls[3], found.controls[0]
    assert mlp.parameters == pytest.approx(own.parameters, rel=0.05)
    assert "Is the sequence real?" in found.to_text()
    assert found.to_dict()["shares"][0]["beyond_noise"] is True


def test_where_one_vector_tells_it_all_nothing_is_claimed() -> None:
    problem = cluster_problem(texts=200, spread=1.5)
    problem = replace(problem, table=replace(problem.table, layout=TOKENS))
    found = run_controls(trained_case(problem, "meanmax", **QUICK))
    assert found.share("order").points == 0.0
    assert not found.share("separate").beyond_noise
    assert "not shown to count" in found.conclusion


def test_a_head_without_a_sequence_is_refused() -> None:
    with pytest.raises(SettingError, match="reads none"):
        check_sequence(trained_case(cluster_problem(), "logistic"))
    assert check_sequence(trained_case(marker_problem(), "meanmax", epochs=1)).layout == TOKENS
