"""Exact pairs and neighbours against a slow oracle; the fast paths against the exact one."""

from __future__ import annotations

import numpy as np
import pytest

from features.vectors import cells, neighbors
from features.vectors.neighbors import PairSearch, close_pairs, nearest, unit
from features.vectors.products import FILTER_MARGIN


def vectors(count: int, width: int = 24, seed: int = 0) -> np.ndarray:
    """Unit vectors in loose clusters, some of them equal."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((max(1, count // 10), width))
    made = centres[rng.integers(len(centres), size=count)]
    made = made + 0.5 * rng.standard_normal((count, width))
    made[count // 2] = made[0]
    return unit(made.astype(np.float16))


def oracle(x: np.ndarray, threshold: float) -> set[tuple[int, int]]:
    return {
        (i, j)
        for i in range(len(x))
        for j in range(i + 1, len(x))
        if float(x[i] @ x[j]) >= threshold
    }


def found(pairs: neighbors.ClosePairs) -> set[tuple[int, int]]:
    return set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))


@pytest.mark.parametrize(("rows", "columns"), [(2048, 4096), (7, 5), (16, 16), (5, 64)])
def test_every_pair_is_found_whatever_the_blocks(rows: int, columns: int) -> None:
    x = vectors(100)
    pairs = close_pairs(x, 0.7, 10**6, PairSearch(rows, columns))
    assert found(pairs) == oracle(x, 0.7)
    assert pairs.recall == 1.0
    products = x @ x.T
    np.fill_diagonal(products, -1)
    difference = float(np.abs(pairs.nearest - products.max(axis=1)).max())
    print("largest difference", difference)
    assert difference < 1e-5


def test_the_bfloat16_filter_loses_no_pair() -> None:
    x = vectors(300, width=64)
    exact = close_pairs(x, 0.7, max_pairs=10**6)
    filtered = close_pairs(x, 0.7, 10**6, PairSearch(64, 96, filtered=True))
    assert found(filtered) == found(exact)
    difference = float(np.abs(filtered.nearest - exact.nearest).max())
    print("largest difference", difference)
    assert difference < FILTER_MARGIN


def test_of_too_many_pairs_the_closest_are_found() -> None:
    x, search = vectors(200), PairSearch(rows=50)
    closest = close_pairs(x, 0.2, 40, search)
    everything = close_pairs(x, 0.2, 10**6, search)
    assert len(closest.first) < len(everything.first)
    assert (0, 100) in found(closest)


def test_beyond_the_exact_size_the_recall_is_measured() -> None:
    x = vectors(3000)
    exact = close_pairs(x, 0.9, max_pairs=10**6)
    near = close_pairs(x, 0.9, 10**6, PairSearch(max_exact=1000))
    assert found(near) <= found(exact)
    share = len(found(near)) / len(found(exact))
    assert near.recall == pytest.approx(share, abs=0.1)
    assert near.recall > 0.8


def test_cells_give_the_same_whatever_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    x, search = vectors(600), PairSearch(max_exact=1)
    whole = close_pairs(x, 0.7, 10**6, search)
    monkeypatch.setattr(cells, "ROWS", 7)
    monkeypatch.setattr(cells, "COLUMNS", 5)
    blocks = close_pairs(x, 0.7, 10**6, search)
    assert found(blocks) == found(whole)
    assert all(first < second for first, second in found(whole))
    difference = float(np.abs(blocks.nearest - whole.nearest).max())
    print("largest difference", difference)
    assert difference < 1e-5
    few = close_pairs(x, 0.7, 10, search)
    assert found(few) < found(whole)
    assert (0, 300) in found(few)  # equal vectors


def test_recall_counts_pairs_that_no_cell_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    x = vectors(2000)
    monkeypatch.setattr(cells, "PROBES", 1)
    near = close_pairs(x, 0.7, 10**6, PairSearch(max_exact=1))
    share = len(found(near)) / len(oracle(x, 0.7))
    assert share < 0.95
    assert near.recall == pytest.approx(share, abs=0.1)


def test_nearest_gives_the_nearest_first() -> None:
    base = unit(np.array([[1, 0], [0, 1], [1, 1], [-1, 0]], np.float32))
    similarity, rows = nearest(unit(np.array([[2, 0.1]], np.float32)), base, 3)
    assert rows.tolist() == [[0, 2, 1]]
    assert similarity[0, 0] == pytest.approx(2 / np.hypot(2, 0.1))
    assert nearest(base, base, 9)[1].shape == (4, 4)


def test_few_queries_among_very_many_vectors_are_answered_exactly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To make cells would take longer."""
    base = unit(np.random.default_rng(0).standard_normal((3000, 8)))
    exact = nearest(base, base, 5)[1]
    made: list[int] = []
    real = neighbors.filled_cells
    monkeypatch.setattr(neighbors, "MAX_EXACT", 100)
    monkeypatch.setattr(
        neighbors, "filled_cells", lambda base: made.append(len(base)) or real(base)
    )
    assert nearest(base, base, 5)[1].tolist() == exact.tolist()
    assert made == []
    many = np.concatenate([base] * 3)
    assert len(many) * len(base) > neighbors.filling_products(len(base))
    rows = nearest(many, base, 5)[1]
    assert made == [3000]
    assert (rows[:, 0] == np.arange(9000) % 3000).all()


def test_a_lone_vector_has_no_neighbour() -> None:
    pairs = close_pairs(unit(np.ones((1, 3), np.float32)), 0.5, max_pairs=10)
    assert found(pairs) == set()
    assert pairs.nearest.tolist() == [-1.0]
