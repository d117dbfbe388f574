"""Blends as arithmetic: means, temperatures, seeds, folds, differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.errors import SettingError
from heads.evaluation.calibration import mean_of, softmax, tempered
from pipeline.blending.blend import best_of, blend
from pipeline.evaluation.evaluation import ClassNames, Evaluation, difference
from pipeline.runs.files.held_out import HeldOutPredictions, TrainingPredictions

CLASSES = ("a", "b", "c")
NAMES = ClassNames(CLASSES, ())


def evaluation(side: str, rows: range, seed: int, sure: float = 2.0) -> Evaluation:
    """Row r is of class r mod 3; the answers are mostly right."""
    random = np.random.default_rng(seed)
    labels = np.arange(rows.start, rows.stop) % 3
    logits = random.normal(size=(len(labels), 3)).astype(np.float32)
    logits[np.arange(len(labels)), labels] += sure
    shares = softmax(logits)
    return Evaluation(side, np.arange(rows.start, rows.stop), labels, shares, shares)


def held_out(
    seeds: int = 1, folds: int = 1, start: int = 0, digest: str = "d", kept: int = 0
) -> HeldOutPredictions:
    """Runs on 60 rows a fold: 30 validate, 30 test. Each fold is surer than the last."""
    answers = [
        TrainingPredictions(
            fold,
            seed,
            seed == kept,
            evaluation("validation", range(60 * fold, 60 * fold + 30), start + seed, surer),
            evaluation("test", range(60 * fold + 30, 60 * fold + 60), 50 + start + seed),
        )
        for fold, surer in enumerate((0.6, 1.2, 1.8)[:folds], start=1)
        for seed in range(seeds)
    ]
    rows = np.arange(60 * folds + 60) + 1
    return HeldOutPredictions(digest, NAMES, rows, (90,) * folds, tuple(answers))


def test_the_blend_is_the_mean_at_the_temperature_of_validation() -> None:
    one, two = held_out(start=0), held_out(start=9)
    blended = blend([one, two], ["one", "two"])
    (answers,) = blended.held_out.trainings
    for side in ("validation", "test"):
        parts = [getattr(part.trainings[0], side).probabilities for part in (one, two)]
        mean = np.mean(parts, axis=0)
        np.testing.assert_allclose(getattr(answers, side).plain, mean, atol=1e-6)
        powers = mean ** (1 / blended.temperatures[0])
        np.testing.assert_allclose(
            getattr(answers, side).probabilities,
            powers / powers.sum(axis=1, keepdims=True),
            atol=1e-5,
        )
    # No other temperature makes the log loss of the validation texts less.
    truth = answers.validation.labels

    def loss(temperature: float) -> float:
        shares = tempered(answers.validation.plain, temperature)
        return float(-np.log(shares[np.arange(len(truth)), truth]).mean())

    best = loss(blended.temperatures[0])
    assert all(best <= loss(blended.temperatures[0] * factor) for factor in (0.8, 0.95, 1.05))
    assert (blended.over_seeds, blended.over_folds) == (None, None)


def test_a_probability_of_zero_stays_one_of_nothing() -> None:
    shares = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]], np.float32)
    for temperature in (0.1, 1.0, 10.0):
        got = tempered(mean_of([shares, shares]), temperature)
        np.testing.assert_allclose(got, shares, atol=1e-6)


def test_a_class_that_a_fold_does_not_know_has_no_say_in_its_temperature() -> None:
    """A validation text of it can only be wrong, at any temperature."""
    plain = blend([held_out(), held_out(start=9)], ["one", "two"])
    wide = blend([_with_unknown(held_out()), _with_unknown(held_out(start=9))], ["one", "two"])
    assert wide.temperatures == pytest.approx(plain.temperatures)
    assert not wide.held_out.test.probabilities[:, 0].any()


def _with_unknown(part: HeldOutPredictions) -> HeldOutPredictions:
    """The same with a class before all others that no head knows, and a text of it."""
    names = ClassNames(("0", *CLASSES), ())

    def widened(own: Evaluation) -> Evaluation:
        shares = np.pad(own.probabilities, [(0, 0), (1, 0)])
        labels = own.labels + 1
        if own.side == "validation":
            shares, labels = np.concatenate([shares, shares[:1]]), np.append(labels, 0)
        return Evaluation(own.side, np.arange(len(labels)), labels, shares, shares)

    answers = tuple(
        replace(each, validation=widened(each.validation), test=widened(each.test))
        for each in part.trainings
    )
    return replace(part, names=names, trainings=answers)


def test_weights_are_learned_where_they_gain_beyond_noise() -> None:
    good, bad = wide(0, 3.0), wide(1, -3.0)
    blended = blend([good, bad], ["good", "bad"], None)
    (weights,) = blended.weights
    assert blended.weighting.kind == "learned"
    assert weights[0] > 0.9
    assert sum(weights) == pytest.approx(1)
    parts = [part.trainings[0].test.probabilities for part in (good, bad)]
    mean = np.average(parts, axis=0, weights=weights)
    np.testing.assert_allclose(blended.held_out.test.plain, mean, atol=1e-6)
    assert blend([good, bad], ["good", "bad"], "equal").weights == ((0.5, 0.5),)
    alike = blend([wide(0, 1.0), wide(1, 1.0)], ["one", "two"], None)
    assert (alike.weighting.kind, alike.weights) == ("equal", ((0.5, 0.5),))
    assert alike.weighting.interval is not None
    assert blend([wide(0, 1.0), wide(1, 1.0)], ["a", "b"], "learned").weights != ((0.5, 0.5),)


def wide(seed: int, sure: float) -> HeldOutPredictions:
    """A run on 1,200 validation texts and 60 test texts."""
    (answers,) = held_out().trainings
    made = replace(
        answers,
        validation=evaluation("validation", range(1200), seed, sure),
        test=evaluation("test", range(1200, 1260), 50 + seed, sure),
    )
    return replace(held_out(), rows=np.arange(1300), trainings=(made,))


def test_a_search_blends_what_helps_and_says_what_it_left_out() -> None:
    runs = [wide(0, 1.5), wide(3, -3.0), wide(1, 1.5)]
    blended = blend(runs, ["one", "bad", "two"], "selected")
    assert blended.chosen == (0, 2)
    assert blended.weighting.left_out == ("bad",)
    assert sum(blended.weights[0]) == pytest.approx(1)
    again = blend([runs[0], runs[2]], ["one", "two"], "selected")
    assert again.weights == blended.weights


@pytest.mark.parametrize(
    ("parts", "kind", "message"),
    [
        ([wide(0, 3.0), wide(1, -3.0)], "selected", "--select keeps x alone"),
        ([held_out(folds=3), held_out(folds=3, start=9)], "selected", "without --folds"),
        ([held_out(), held_out(start=9)], "learned", "40 for 2; there are 30: leave"),
    ],
)
def test_weights_that_cannot_be_found_are_refused(
    parts: list[HeldOutPredictions], kind: str, message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        blend(parts, ["x", "y"], kind)


def test_seeds_are_blended_with_their_like_and_a_single_one_with_each() -> None:
    three, one = held_out(seeds=3, kept=2), held_out(seeds=1, start=7)
    blended = blend([three, one], ["three", "one"])
    assert blended.over_seeds is not None
    expected = []
    for answers in three.trainings:
        mean = answers.test.probabilities + one.trainings[0].test.probabilities
        expected.append(float(np.mean(mean.argmax(axis=1) == answers.test.labels)))
    assert blended.over_seeds.accuracy.values == pytest.approx(expected)
    assert blended.seeds == 3
    # What predicts is the mean of the kept ones, of which the three's is its last seed.
    kept = [three.trainings[2].test.probabilities, one.trainings[0].test.probabilities]
    np.testing.assert_allclose(blended.held_out.test.plain, np.mean(kept, axis=0), atol=1e-6)


def test_folds_are_blended_one_by_one() -> None:
    one, two = held_out(folds=3), held_out(folds=3, start=9)
    two = replace(two, learned=(60, 60, 60))  # as without refit
    blended = blend([one, two], ["one", "two"])
    assert blended.over_folds is not None
    assert len(blended.over_folds.accuracy.values) == len(blended.temperatures) == 3
    assert blended.weights == ((0.5, 0.5),) * 3
    alone = [
        blend([_fold(one, place), _fold(two, place)], ["one", "two"]).temperatures[0]
        for place in range(3)
    ]
    assert blended.temperatures == pytest.approx(alone)
    assert len(set(alone)) == 3
    assert blended.held_out.test.score().texts == 90
    accuracy = blended.over_folds.accuracy
    assert accuracy.mean == pytest.approx(blended.held_out.test.score().accuracy)
    # 30 texts tested for at least 60 learned from, 3 folds; 4.303 is the t of two degrees.
    half = 4.3027 * accuracy.deviation * (1 / 3 + 30 / 60) ** 0.5
    assert accuracy.interval[0] == pytest.approx(accuracy.mean - half, abs=1e-4)


def _fold(part: HeldOutPredictions, place: int) -> HeldOutPredictions:
    return replace(
        part, learned=part.learned[place : place + 1], trainings=(part.trainings[place],)
    )


def _moved(side: str) -> HeldOutPredictions:
    """A run with the same texts on one side and others on the other."""
    (answers,) = held_out().trainings
    rows = evaluation(side, range(91, 121), 0)
    moved = replace(answers, **{side: rows})  # type: ignore[arg-type]
    return replace(held_out(), trainings=(moved,))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (held_out(digest="e"), "one and two were trained on different texts"),
        (held_out(folds=2), "have no and 2 folds: train one again with --split-of one$"),
        (_moved("validation"), "held out different texts.*again with --split-of one$"),
        (_moved("test"), "held out different texts.*train one again with --split-of one$"),
        (held_out(seeds=2), r"numbers of seeds \(one 3, two 2\)"),
    ],
)
def test_runs_that_do_not_fit_are_refused(other: HeldOutPredictions, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        blend([held_out(seeds=3), other], ["one", "two"])


def test_the_best_part_is_that_of_validation() -> None:
    """By accuracy, then by the loss."""
    unsure = evaluation("validation", range(90), 1)
    sure = replace(unsure, probabilities=tempered(unsure.probabilities, 0.9))
    worse = evaluation("validation", range(90), 2, 0.5)
    assert best_of([worse, unsure]) == best_of([worse, unsure, worse]) == 1
    assert best_of([unsure, sure]) + best_of([sure, unsure]) == 1


def test_the_difference_is_over_the_same_texts() -> None:
    one, two = evaluation("test", range(90), 1, 3.0), evaluation("test", range(90), 2, 0.5)
    found = difference(one, two)
    assert found.mean == pytest.approx(one.right.mean() - two.right.mean())
    low, high = found.interval
    assert 0 < low < found.mean < high
    assert difference(one, one).interval == (0.0, 0.0)
    # A text that several folds answer counts once: of two texts one is won, one is lost.
    rows = np.array([0, 0, 0, 1])
    labels = np.zeros(4, np.int64)
    right, wrong = np.eye(2, dtype=np.float32)
    won = Evaluation("test", rows, labels, *[np.array([right, right, right, wrong])] * 2)
    lost = Evaluation("test", rows, labels, *[np.array([wrong, wrong, wrong, right])] * 2)
    assert difference(won, lost).mean == 0.0
