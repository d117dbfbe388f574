"""Heads that read words: alone, beside vectors, and where validation leaves them out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.errors import CacheError, SettingError
from features.tables import FeatureTables
from features.vectors.table import POOLED, FeatureTable
from features.words.counting import count_words
from heads.estimator import HeadClassifier
from heads.persistence.checkpoint import load, save
from heads.registry import check_layout, layout_of, make_settings
from heads.trained import TrainedHead, fit, refit

N, WIDTH = 600, 6
LABELS = np.arange(N) % 2
TRAIN, VALIDATION = np.arange(400), np.arange(400, N)
WORDS = (("red rose", "green leaf"), ("cold snow", "white ice"))


def make_tables(vectors_tell: float, words_tell: float) -> FeatureTables:
    """Pooled vectors and words that each tell the class of a share of the texts."""
    random = np.random.default_rng(0)
    values = random.normal(size=(N, WIDTH))
    told = random.random(N) < vectors_tell
    values[told, LABELS[told]] += 4
    shown = np.where(random.random(N) < words_tell, LABELS, random.integers(0, 2, N))
    texts = [f"{random.choice(WORDS[label])} here" for label in shown]
    pooled = FeatureTable(values.astype(np.float32), np.arange(N + 1), POOLED)
    return FeatureTables((pooled, count_words(texts)))


def fitted(tables: FeatureTables, head: str = "logistic") -> TrainedHead:
    settings = make_settings(head, {})
    return fit(head, settings, tables, LABELS, TRAIN, VALIDATION, ("a", "b"), 0)


def right(trained: TrainedHead, tables: FeatureTables) -> float:
    found = trained.logits(tables, VALIDATION).argmax(axis=1) == LABELS[VALIDATION]
    return float(found.mean())


def test_both_know_more_than_one() -> None:
    tables = make_tables(0.6, 0.6)
    both = fitted(tables)
    alone = [fitted(FeatureTables((table,))) for table in tables.tables]
    assert both.layout == "pooled,words"
    assert 0 < both.word_share < 1
    assert right(both, tables) > max(right(one, tables) for one in alone)
    again = refit(both, tables, LABELS, np.arange(N), 0)
    assert again.word_share == both.word_share


def test_what_adds_nothing_is_left_out() -> None:
    vectors = fitted(make_tables(1.0, 0.0))
    assert (vectors.layout, vectors.words) == ("pooled", None)
    words = fitted(make_tables(0.0, 1.0))
    assert (words.layout, words.width, words.state) == ("words", 0, {})
    again = refit(words, make_tables(0.0, 1.0), LABELS, np.arange(N), 0)
    assert again.layout == "words"


@pytest.mark.parametrize("tell", [(0.6, 0.6), (0.0, 1.0)])
def test_round_trip(tell: tuple[float, float], tmp_path: Path) -> None:
    tables = make_tables(*tell)
    trained = fitted(tables)
    save(trained, tmp_path)
    stored = load(tmp_path)
    assert (stored.layout, stored.word_share) == (
        trained.layout,
        pytest.approx(trained.word_share),
    )
    every = np.arange(N)
    assert np.array_equal(stored.logits(tables, every), trained.logits(tables, every))
    assert stored.parameters == trained.parameters


def test_weights_of_another_layout_are_refused(tmp_path: Path) -> None:
    save(fitted(make_tables(0.6, 0.6)), tmp_path)
    path = tmp_path / "head.json"
    path.write_text(path.read_text().replace('"pooled,words"', '"pooled"'))
    with pytest.raises(CacheError, match="it has words, which is not the layout pooled"):
        load(tmp_path)


def test_a_table_that_lacks_words_is_refused() -> None:
    tables = make_tables(0.6, 0.6)
    with pytest.raises(SettingError, match="takes pooled,words"):
        fitted(tables).logits(tables.tables[0], VALIDATION)


def test_layouts() -> None:
    assert layout_of("logistic", None) == "pooled,words"
    assert layout_of("cnn", None) == "tokens"
    assert layout_of("cnn", "words,tokens") == "tokens,words"
    with pytest.raises(SettingError, match="words only beside vectors"):
        check_layout("cnn", "words")
    with pytest.raises(SettingError, match="it takes: pooled,words"):
        check_layout("logistic", "tokens,words")


def test_classifier() -> None:
    tables = make_tables(0.6, 0.6)
    names = np.array(["no", "yes"])[LABELS]
    classifier = HeadClassifier(settings={"c": 1.0}).fit(tables[TRAIN], names[TRAIN])
    assert (classifier.predict(tables[VALIDATION]) == names[VALIDATION]).mean() > 0.7
    words = tables.tables[1]
    only = HeadClassifier().fit(words[TRAIN], names[TRAIN])
    assert only.trained_.layout == "words"
    assert only.predict_proba(words[VALIDATION]).shape == (200, 2)
