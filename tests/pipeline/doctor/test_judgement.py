"""What a trial proves, and what it does not."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.doctor.counterfactual import Trial
from pipeline.doctor.proving.judgement import judge


def rights(share: float, texts: int = 300) -> np.ndarray:
    """Return as many rightly labelled texts as a share asks for, the first ones."""
    return np.arange(texts) < round(share * texts)


def test_a_clear_gain_is_confirmed_and_no_change_is_refuted() -> None:
    gained, same = judge(
        [(Trial(rights(0.5), rights(0.6)), "rises"), (Trial(rights(0.5), rights(0.5)), "rises")]
    )
    assert gained.outcome == "confirmed"
    assert gained.gain == pytest.approx(0.1)
    assert 0 < gained.interval[0] < 0.1 < gained.interval[1]
    assert same.outcome == "refuted"


def test_a_gain_that_chance_can_make_is_open() -> None:
    before = rights(0.5, 40)
    after = before.copy()
    after[38:] = True
    after[0] = False
    assert judge([(Trial(before, after), "rises")])[0].outcome == "open"


def test_a_gain_below_two_points_proves_nothing() -> None:
    before, after = rights(0.5, 10_000), rights(0.515, 10_000)
    assert judge([(Trial(before, after), "rises")])[0].outcome == "open"
    # but it does where only six points are missing
    assert judge([(Trial(before, after), "rises")], missing=0.06)[0].outcome == "confirmed"


def test_a_score_that_was_too_good_falls() -> None:
    trial = Trial(rights(0.9), rights(0.6, 100), paired=False)
    falls, rises = judge([(trial, "falls")])[0], judge([(trial, "rises")])[0]
    assert falls.outcome == "confirmed"
    assert falls.interval[1] < 0
    assert rises.outcome == "refuted"


def test_more_trials_ask_for_more() -> None:
    before = rights(0.5, 200)
    after = before.copy()
    after[150:158] = True
    after[0] = False
    alone = judge([(Trial(before, after), "rises")])[0]
    many = judge([(Trial(before, after), "rises")] + [(Trial(before, before), "rises")] * 4)[0]
    assert alone.outcome == "confirmed"
    assert many.outcome == "open"
    assert many.interval[0] < alone.interval[0]


def test_macro_f1_sees_a_rare_class() -> None:
    labels = np.array([0] * 270 + [1] * 30)
    before, after = np.zeros(300, int), labels.copy()
    after[:30] = 1
    found = judge([(Trial(before, after, "macro-F1", "macro_f1", labels), "rises")])[0]
    assert found.outcome == "confirmed"
    assert found.before == pytest.approx(0.474, abs=0.001)


def test_with_few_texts_the_probability_of_the_right_class_may_decide() -> None:
    before = rights(0.5, 40)
    after = before.copy()
    after[38:] = True
    after[0] = False
    random = np.random.default_rng(0)
    old = np.log(random.uniform(0.2, 0.4, 40))
    sure = Trial(before, after, likelihoods=(old, old + random.uniform(0.0, 0.6, 40)))
    found = judge([(sure, "rises")])[0]
    assert found.outcome == "confirmed"
    assert found.measure.startswith("log probability")
    assert found.interval[0] > 0
    # not against the accuracy, and not where accuracy has texts enough
    against = Trial(after, before, likelihoods=sure.likelihoods)
    assert judge([(against, "rises")])[0].outcome != "confirmed"
