"""Heads over the vectors of several encoders, each with a share that validation chooses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.errors import CacheError, SettingError
from features.tables import FeatureTables
from features.vectors.table import POOLED, FeatureTable
from heads.estimator import HeadClassifier
from heads.persistence.checkpoint import load, save
from heads.registry import make_settings
from heads.trained import TrainedHead, fit, refit

N = 600
LABELS = np.arange(N) % 2
TRAIN, VALIDATION = np.arange(400), np.arange(400, N)
EVERY = np.arange(N)


def make_tables(*tell: float) -> FeatureTables:
    """Pooled vectors of several encoders that each tell the class of a share of the texts."""
    random = np.random.default_rng(0)
    tables = []
    for width, share in enumerate(tell, 4):
        values = random.normal(size=(N, width))
        told = random.random(N) < share
        values[told, LABELS[told]] += 4
        tables.append(FeatureTable(values.astype(np.float32), np.arange(N + 1), POOLED))
    return FeatureTables(tuple(tables))


def fitted(tables: FeatureTables, head: str = "logistic") -> TrainedHead:
    settings = make_settings(head, {"epochs": 2} if head == "mlp" else {})
    return fit(head, settings, tables, LABELS, TRAIN, VALIDATION, ("a", "b"), 0)


def right(trained: TrainedHead, tables: FeatureTables) -> float:
    found = trained.logits(tables, VALIDATION).argmax(axis=1) == LABELS[VALIDATION]
    return float(found.mean())


def test_each_encoder_has_a_share() -> None:
    tables = make_tables(0.6, 0.6, 0.6)
    every = fitted(tables)
    alone = [fitted(FeatureTables((table,))) for table in tables.tables]
    assert (every.reads, every.widths) == ((0, 1, 2), (4, 5, 6))
    assert sum(every.encoder_shares) == pytest.approx(1)
    assert right(every, tables) > max(right(one, tables) for one in alone[:1])
    assert every.parameters == sum(one.parameters for one in alone)
    logits = [
        one.logits(FeatureTables((table,)), EVERY)
        for one, table in zip(alone, tables.tables, strict=True)
    ]
    shares = zip(every.encoder_shares, logits, strict=True)
    expected = sum(np.float32(share) * each for share, each in shares)
    np.testing.assert_allclose(every.logits(tables, EVERY), expected, atol=1e-4)


def test_an_encoder_that_adds_nothing_is_left_out() -> None:
    first = fitted(make_tables(1.0, 0.0))
    assert (first.reads, first.width) == ((0,), 4)
    second = fitted(make_tables(0.0, 1.0))
    assert (second.reads, second.width) == ((1,), 5)


@pytest.mark.parametrize("tell", [(0.6, 0.6), (0.0, 1.0)])
def test_round_trip_and_refit(tell: tuple[float, float], tmp_path: Path) -> None:
    tables = make_tables(*tell)
    trained = refit(fitted(tables), tables, LABELS, EVERY, 0)
    save(trained, tmp_path)
    stored = load(tmp_path)
    assert (stored.reads, stored.widths) == (trained.reads, trained.widths)
    expected = trained.logits(tables, EVERY)
    assert np.array_equal(stored.logits(tables, EVERY), expected)
    read = FeatureTables(tuple(tables.encoders[i] for i in stored.reads))
    assert np.array_equal(stored.renumbered().logits(read, EVERY), expected)


def test_a_head_that_learns_by_epochs() -> None:
    tables = make_tables(0.6, 0.6)
    trained = fitted(tables, "mlp")
    assert trained.reads == (0, 1)
    again = refit(trained, tables, LABELS, EVERY, 0)
    assert again.encoder_shares == trained.encoder_shares
    assert any((again.state[name] != value).any() for name, value in trained.state.items())


def test_weights_of_fewer_encoders_are_refused(tmp_path: Path) -> None:
    save(fitted(make_tables(0.6, 0.6)), tmp_path)
    path = tmp_path / "head.json"
    text = path.read_text()
    start = text.index('"further"')
    path.write_text(f'{text[:start]}"further": []\n}}')
    with pytest.raises(CacheError, match=r"encoder2"):
        load(tmp_path)


def test_vectors_of_one_encoder_are_refused_by_a_head_of_two() -> None:
    tables = make_tables(0.6, 0.6)
    trained = fitted(tables)
    with pytest.raises(SettingError, match=r"pooled vectors of widths 4, 5, not pooled vec"):
        trained.logits(tables.tables[0], VALIDATION)


def test_classifier() -> None:
    tables = make_tables(0.6, 0.6)
    classifier = HeadClassifier().fit(tables[TRAIN], LABELS[TRAIN])
    assert classifier.trained_.reads == (0, 1)
    assert (classifier.predict(tables[VALIDATION]) == LABELS[VALIDATION]).mean() > 0.7
