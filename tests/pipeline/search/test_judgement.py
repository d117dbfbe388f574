"""What a search says about its own trials, on answers known by construction."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.search.candidate import (
    ACCURACY,
    LOSS,
    Candidate,
    Job,
    Outcome,
    Trial,
    ordered,
    packed,
    seconds_used,
)
from pipeline.search.judging.finalists import (
    compare,
    finalists,
    next_simplest,
    repeat_jobs,
)
from pipeline.search.judging.flattery import flattery, luck_curve
from pipeline.search.judging.shares import shares

TEXTS = 200


def trial(
    number: int,
    right: np.ndarray,
    head: str = "cnn",
    loss: float = 1.0,
    seed: int = 0,
    **settings: object,
) -> Trial:
    rows = np.atleast_2d(right)
    outcome = Outcome(
        float(rows.mean()), loss, right=tuple(map(packed, rows)), ended=float(number)
    )
    return Trial(number, Job(Candidate(head, settings, "tokens", "e"), (seed,)), outcome)


def first(count: int) -> np.ndarray:
    answers: np.ndarray = np.arange(TEXTS) < count
    return answers


def test_the_bootstrap_sees_that_the_best_of_many_coins_is_luck() -> None:
    random = np.random.default_rng(0)
    coins = [trial(i, random.random(TEXTS) < 0.5, filters=i) for i in range(40)]
    found = compare(finalists(coins, 3, ACCURACY, TEXTS), {}, ACCURACY, TEXTS)
    luck = flattery(coins, found, ACCURACY, TEXTS)
    assert luck.best > 0.55
    assert luck.best - luck.choice == pytest.approx(0.5, abs=0.04)
    one = [trial(0, first(100)), trial(1, first(40), filters=1)]
    assert flattery(one, found, ACCURACY, TEXTS).choice < 0.01  # nobody could choose wrongly


def test_repeats_decide_and_take_the_luck_of_the_seed_away() -> None:
    lucky, steady = trial(0, first(150), filters=64), trial(1, first(145), filters=256)
    simple = trial(2, np.roll(first(144), 20), head="logistic")
    poor = trial(3, first(60), head="mlp")
    chosen = finalists([lucky, steady, simple, poor], 2, ACCURACY, TEXTS)
    assert chosen == [lucky, steady, simple]  # the simplest head that is within noise
    again = {
        each.candidate.key: [
            trial(i, first(count + i), seed=job.seeds[0], **each.candidate.settings)
            for i, job in enumerate(repeat_jobs(each, 3))
        ]
        for each, count in ((lucky, 120), (steady, 146))
    }
    found = compare(chosen, again, ACCURACY, TEXTS)
    assert [one.candidate for one in found] == [
        steady.candidate,
        simple.candidate,
        lucky.candidate,
    ]
    winner, near, far = found
    assert winner.seeds == (0.73, 0.735, 0.74)
    assert near.within_noise
    assert not near.repeated
    assert not far.within_noise
    assert far.difference == pytest.approx(0.605 - 0.735)
    assert next_simplest(found) == near
    told = flattery([lucky, steady, simple], found, ACCURACY, TEXTS)
    assert told.repeats == pytest.approx(0.605)
    assert told.trials == 3


def test_the_best_head_with_default_settings_is_compared_too() -> None:
    drawn = [trial(i, first(150 - i), filters=i) for i in range(3)]
    usual, worse = trial(3, first(140)), trial(4, first(120), head="mlp")
    assert finalists([*drawn, worse, usual], 2, ACCURACY, TEXTS) == [*drawn[:2], usual]
    assert finalists([*drawn, usual], 4, ACCURACY, TEXTS) == [*drawn, usual]


def test_the_lowest_loss_wins_where_it_is_asked_for() -> None:
    low, high = trial(0, first(100), loss=0.5), trial(1, first(150), loss=0.9, filters=64)
    failed = Trial(2, Job(Candidate("cnn"), (0,)), Outcome(failed="diverged"))
    assert ordered([failed, high, low], LOSS) == [low, high]
    assert ordered([failed, high, low], ACCURACY) == [high, low]
    assert compare([low, high], {}, LOSS, TEXTS)[0].candidate == low.candidate


def test_the_setting_that_matters_has_the_largest_share() -> None:
    random = np.random.default_rng(0)
    found = []
    for i in range(40):
        rate, dropout, norm = 10 ** random.uniform(-4, -1), random.random(), bool(i % 2)
        right = first(int(60 + (80 if 1e-3 < rate < 1e-2 else 0) + random.integers(9)))
        found.append(trial(i, right, learning_rate=rate, dropout=dropout, batch_norm=norm))
    best, *others = shares(found)
    assert (best.head, best.setting, best.trials) == ("cnn", "learning_rate", 40)
    assert best.share > 0.4
    low, _, high = best.best.partition(" to ")
    assert float(low) > 5e-4
    assert float(high) < 2e-2
    assert all(other.share < 0.3 for other in others)
    assert shares(found[:5]) == []


def test_the_time_of_trials_at_once_counts_once() -> None:
    def spent(seconds: float, ended: float) -> Trial:
        return Trial(0, Job(Candidate("cnn"), (0,)), Outcome(seconds=seconds, ended=ended))

    assert seconds_used([spent(2, 10), spent(3, 10.5), spent(1, 20)]) == pytest.approx(4)


def test_the_curve_of_luck_ends_at_the_best_trial_less_what_choosing_added() -> None:
    random = np.random.default_rng(1)
    coins = [trial(i, random.random(TEXTS) < 0.5, filters=i) for i in range(30)]
    found = compare(finalists(coins, 3, ACCURACY, TEXTS), {}, ACCURACY, TEXTS)
    luck, curve = flattery(coins, found, ACCURACY, TEXTS), luck_curve(coins, ACCURACY, TEXTS)
    assert [each.trials for each in curve] == [*range(1, 31)]
    assert [each.chosen for each in curve] == sorted(each.chosen for each in curve)
    assert curve[0].chosen == pytest.approx(0.5, abs=0.01)
    assert curve[0].others == pytest.approx(curve[0].chosen, abs=0.01)  # one is no choice
    assert curve[-1].chosen == pytest.approx(luck.best)
    assert curve[-1].others == pytest.approx(luck.best - luck.choice, abs=0.01)
    assert luck_curve([], ACCURACY, TEXTS) == []
