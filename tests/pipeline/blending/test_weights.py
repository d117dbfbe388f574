"""Weights of a blend: against another optimiser, and on runs of which one knows little."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from pipeline.blending.weights import learn_weights, learned_gain, select
from pipeline.evaluation.evaluation import Evaluation
from tests.pipeline.blending.test_blend import evaluation

TEXTS = range(600)


def loss(weights: np.ndarray, parts: list[Evaluation]) -> float:
    mixed = sum(w * part.probabilities for w, part in zip(weights, parts, strict=True))
    return float(-np.log(mixed[np.arange(len(mixed)), parts[0].labels]).mean())  # type: ignore[index,arg-type]


def test_learned_weights_have_the_lowest_log_loss() -> None:
    parts = [evaluation("validation", TEXTS, seed, sure) for seed, sure in enumerate((2, 1, 0))]
    weights = learn_weights(parts)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    found = minimize(
        lambda w: loss(w, parts),
        np.full(3, 1 / 3),
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
    )
    assert loss(weights, parts) == pytest.approx(found.fun, abs=1e-5)
    assert weights == pytest.approx(found.x, abs=0.02)


def test_weights_gain_where_a_run_knows_nothing_and_not_among_equals() -> None:
    good, bad = (
        evaluation("validation", TEXTS, 0, 3.0),
        evaluation("validation", TEXTS, 1, -2.0),
    )
    gain = learned_gain([[good, bad]])
    assert gain.beyond_noise
    assert 0 < gain.interval[0] < gain.mean < gain.interval[1]
    alike = [evaluation("validation", TEXTS, seed) for seed in range(3)]
    assert not learned_gain([alike]).beyond_noise
    # A text that two folds validate counts once.
    twice = learned_gain([[good, bad], [good, bad]])
    assert twice.mean == pytest.approx(gain.mean)
    assert twice.interval == pytest.approx(gain.interval)


@pytest.mark.parametrize("column", [False, True])
def test_labels_that_no_run_knows_have_no_say(column: bool) -> None:
    """Such a label has no column, or one of zeros where only another fold knows it."""
    parts = [evaluation("validation", TEXTS, seed, sure) for seed, sure in enumerate((2, -2))]
    wider = []
    for part in parts:
        shares = np.concatenate([part.probabilities, part.probabilities[:100]])
        shares = np.pad(shares, [(0, 0), (0, int(column))])
        labels = np.append(part.labels, np.full(100, 3))
        wider.append(Evaluation(part.side, np.arange(700), labels, shares, shares))
    assert learn_weights(wider) == pytest.approx(learn_weights(parts), abs=1e-3)
    assert select(wider, 0).tolist() == select(parts, 0).tolist()
    gain, plain = learned_gain([wider]), learned_gain([parts])
    assert gain.mean == pytest.approx(plain.mean * 6 / 7, rel=0.1)


def test_the_search_takes_runs_that_help_beyond_noise() -> None:
    one, two = (evaluation("validation", TEXTS, seed) for seed in range(2))
    useless = evaluation("validation", TEXTS, 7, -3.0)
    counts = select([useless, one, two], 1)
    assert counts[0] == 0
    assert (counts[1:] > 0).all()
    assert select([useless, one], 1).tolist() == [0, 1], "the better one alone"
    few = [evaluation("validation", range(6), seed) for seed in range(3)]
    assert select(few, 0).sum() == 1, "six texts show nothing"
