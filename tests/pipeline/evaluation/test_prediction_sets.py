"""Prediction sets hold the true label as often as wanted, and are those of MAPIE."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from features.errors import SettingError
from pipeline.evaluation.evaluation import Evaluation
from pipeline.evaluation.prediction_sets import choose_sets

CLASSES = 4


def texts(count: int, seed: int) -> Evaluation:
    """Texts with four classes; the head is overconfident."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, count)
    logits = random.normal(size=(count, CLASSES)) * 2
    logits[np.arange(count), labels] += 1.5
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    shares = shares.astype(np.float32)
    return Evaluation("validation", np.arange(count), labels, shares, shares)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_sets_hold_the_true_label(level: float) -> None:
    held = [choose_sets(level, texts(200, i), texts(500, 99 + i)).test_share for i in range(40)]
    assert level - 0.01 < np.mean(held) < level + 0.02


def test_the_threshold_is_that_of_the_formula() -> None:
    validation = texts(57, 1)
    shares = validation.probabilities[np.arange(57), validation.labels].astype(float)
    rule = choose_sets(0.9, validation, validation)
    assert rule.smallest == pytest.approx(np.sort(shares)[57 - math.ceil(58 * 0.9)])
    assert "to hold the true one for 90% of the texts" in rule.line()


def test_with_few_texts_every_label_is_in_the_set() -> None:
    assert choose_sets(0.9, texts(8, 1), texts(20, 2)).sets(texts(3, 3).probabilities).all()


def test_a_label_that_no_head_knows_is_never_held() -> None:
    known = texts(50, 1)
    unseen = Evaluation(
        "test", known.rows, np.full(50, CLASSES), known.probabilities, known.plain
    )
    assert choose_sets(0.9, known, unseen).test_share == 0
    assert choose_sets(0.9, unseen, known).sets(known.probabilities).all()


@pytest.mark.parametrize("level", [0.0, 1.0, float("nan"), -1.0])
def test_a_level_that_is_none(level: float) -> None:
    with pytest.raises(SettingError, match="above 0 and below 1"):
        choose_sets(level, texts(9, 1), texts(9, 2))


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_the_sets_are_those_of_mapie(level: float) -> None:
    classification = pytest.importorskip("mapie.classification", reason="needs MAPIE")
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Given(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        """Its features are the probabilities."""

        classes_ = np.arange(CLASSES)
        fitted_ = True

        def fit(self, x: np.ndarray, y: np.ndarray) -> Given:
            return self

        def predict_proba(self, x: np.ndarray) -> np.ndarray:
            return x

        def predict(self, x: np.ndarray) -> np.ndarray:
            return np.asarray(x.argmax(axis=1))

    validation, new = texts(151, 5), texts(300, 6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = classification.SplitConformalClassifier(
            Given(), confidence_level=level, conformity_score="lac", prefit=True
        )
        theirs.conformalize(validation.probabilities.astype(float), validation.labels)
        _, sets = theirs.predict_set(new.probabilities.astype(float))
    ours = choose_sets(level, validation, new).sets(new.probabilities)
    assert (ours == sets[:, :, 0]).all()
