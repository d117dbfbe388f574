"""Calibration by hand, and temperatures that are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads.evaluation.calibration import (
    MAX_TEMPERATURE,
    MIN_TEMPERATURE,
    error_by_chance,
    fit_temperature,
    reliability,
    softmax,
)
from heads.evaluation.metrics import log_loss


def drawn(texts: int, classes: int, spread: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn from just their softmax: calibrated at temperature 1."""
    random = np.random.default_rng(0)
    logits = (random.normal(size=(texts, classes)) * spread).astype(np.float32)
    edges = softmax(logits).cumsum(axis=1)
    labels = (random.random((texts, 1)) > edges).sum(axis=1).clip(0, classes - 1)
    return labels, logits


def test_error_by_hand() -> None:
    probabilities = np.array([[0.95, 0.05], [0.9, 0.1], [0.45, 0.55], [0.6, 0.4]])
    labels = np.array([0, 1, 1, 2])  # right, wrong, right; 2 is a label that training lacks
    bins = reliability(labels, probabilities, bins=2)
    assert bins.texts.tolist() == [0, 4]
    assert bins.error == pytest.approx(abs(0.5 - (0.95 + 0.9 + 0.55 + 0.6) / 4))
    bins = reliability(labels, probabilities, bins=5)
    # (0.4, 0.6]: two texts, one right, sure by 0.575; (0.8, 1]: two, one right, by 0.925.
    assert bins.texts.tolist() == [0, 0, 2, 0, 2]
    assert bins.accuracy[[2, 4]].tolist() == [0.5, 0.5]
    assert np.isnan(bins.accuracy[0])
    assert np.isnan(bins.confidence[0])
    assert bins.error == pytest.approx(0.5 * 0.075 + 0.5 * 0.425)


def test_a_confidence_on_an_edge_belongs_below_it() -> None:
    assert reliability(np.array([0]), np.array([[0.5, 0.5]]), bins=2).texts.tolist() == [1, 0]
    assert reliability(np.array([0]), np.array([[1.0, 0.0]]), bins=3).texts.tolist() == [
        0,
        0,
        1,
    ]


def test_chance_is_the_error_of_true_probabilities() -> None:
    labels, logits = drawn(20_000, 3)
    parts = [slice(i * 200, (i + 1) * 200) for i in range(100)]
    measured = [reliability(labels[part], softmax(logits[part])).error for part in parts]
    said = [error_by_chance(softmax(logits[part])) for part in parts]
    print(f"measured {np.mean(measured):.4f}, said {np.mean(said):.4f}")
    assert np.mean(said) == pytest.approx(np.mean(measured), rel=0.05)
    assert error_by_chance(softmax(logits)) < np.mean(said) / 5
    assert error_by_chance(np.array([[1.0, 0.0]])) == 0.0


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0.34, 1.0)), min_size=1))
def test_error_lies_between_0_and_1(texts: list[tuple[int, float]]) -> None:
    labels = np.array([label for label, _ in texts])
    first = np.array([confidence for _, confidence in texts])
    probabilities = np.stack([first, (1 - first) / 2, (1 - first) / 2], axis=1)
    bins = reliability(labels, probabilities)
    assert 0 <= bins.error <= 1
    assert bins.texts.sum() == len(texts)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_a_scale(scale: float) -> None:
    labels, logits = drawn(4000, 5)
    temperature = fit_temperature(labels, logits * np.float32(scale))
    assert temperature == pytest.approx(scale, rel=0.05)
    # The least loss of all, and a small calibration error.
    losses = [log_loss(labels, logits * scale / t) for t in np.linspace(0.2, 5, 200)]
    assert log_loss(labels, logits * scale / temperature) <= min(losses) + 1e-6
    before = reliability(labels, softmax(logits * np.float32(scale))).error
    after = reliability(labels, softmax(logits * np.float32(scale), temperature)).error
    print(f"scale {scale}: {before:.4f} -> {after:.4f}")
    assert after < 0.025
    if scale != 1.0:
        assert after < before / 3


def test_labels_that_training_lacks_say_nothing_about_the_temperature() -> None:
    labels, logits = drawn(500, 3)
    more = np.concatenate([labels, [3, 7]])
    extended = np.concatenate([logits, logits[:2]])
    assert fit_temperature(more, extended) == fit_temperature(labels, logits)
    assert fit_temperature(np.array([3, 4]), logits[:2]) == 1.0


def test_where_all_are_right_the_temperature_stays_1() -> None:
    _, logits = drawn(50, 3)
    assert fit_temperature(logits.argmax(axis=1), logits) == 1.0


def test_the_temperature_is_bounded() -> None:
    # Sure and wrong throughout: the flatter the better, without end.
    logits = np.tile(np.array([[9.0, 0.0]], np.float32), (20, 1))
    assert (
        0.98 * MAX_TEMPERATURE
        < fit_temperature(np.ones(20, np.int64), logits)
        <= MAX_TEMPERATURE
    )
    # Unsure, and nearly always right.
    logits = np.tile(np.array([[0.01, 0.0]], np.float32), (20, 1))
    labels = np.array([1] + [0] * 19)
    assert MIN_TEMPERATURE <= fit_temperature(labels, logits) < 1.02 * MIN_TEMPERATURE
