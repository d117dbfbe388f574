"""Order and pairs of runs, of what they predict."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.comparison.compared_run import ComparedRun, Cost
from pipeline.comparison.comparison import Comparison, Group
from pipeline.comparison.config import CompareConfig
from pipeline.comparison.disagreements import disagreements, only_right
from pipeline.comparison.standing import compare_pairs, rank, same_texts
from pipeline.evaluation.evaluation import ClassNames, Evaluation
from pipeline.overview.run_facts import RunFacts
from pipeline.runs.files.held_out import HeldOutPredictions, TrainingPredictions
from pipeline.runs.reader import read_metrics
from tests.support.cli import REPOSITORY

SCORES = read_metrics(REPOSITORY / "tests" / "old" / "runs" / "logistic")
NAMES = ClassNames(("a", "b"), ())


def side(name: str, right: np.ndarray, start: int) -> Evaluation:
    """Texts of class a from a position on, those predicted as a that are right."""
    shares = np.where(right[:, None], [0.9, 0.1], [0.2, 0.8]).astype(np.float32)
    rows = np.arange(start, start + len(right))
    return Evaluation(name, rows, np.zeros(len(right), np.int64), shares, shares)


def run(
    name: str, validation: int, test: range, seeds: int = 1, parameters: int = 9, **more: Any
) -> ComparedRun:
    """A run with so many of 100 validation texts right, and the test texts in a range."""
    chosen = np.arange(200)
    own_test = (chosen >= test.start) & (chosen < test.stop)
    trainings = tuple(
        TrainingPredictions(
            1,
            seed,
            seed == 0,
            side("validation", np.arange(100) < validation, 0),
            side("test", np.roll(own_test, seed), 100),
        )
        for seed in range(seeds)
    )
    facts = RunFacts(name, "d.csv", name, "e", "pooled", SCORES.validation, SCORES.test, 0.0)
    held_out = HeldOutPredictions("digest", NAMES, np.arange(300) + 1, (50,), trainings)
    scores = replace(SCORES, validation=held_out.validation.score())
    texts = {100 + i + 1: f"text {i}" for i in np.flatnonzero(~own_test).tolist()}
    held_out = replace(held_out, **more)
    return ComparedRun(name, facts, scores, Cost(1.0, parameters, 2.0), held_out, "", texts)


def test_runs_are_ordered_by_validation_and_compared_on_test() -> None:
    """The one that is best on test alone comes last."""
    given = [run("x", 60, range(200)), run("y", 80, range(150)), run("z", 79, range(120))]
    standings = rank(given)
    assert [each.run.name for each in standings] == ["y", "z", "x"]
    assert [each.within_noise for each in standings] == [True, True, False]
    assert standings[2].behind.mean == pytest.approx(-0.2)
    pairs = compare_pairs(standings, every=True)
    assert [(pair.first, pair.second) for pair in pairs] == [(0, 1), (0, 2), (1, 2)]
    assert [pair.heads.difference for pair in pairs] == pytest.approx([0.15, -0.25, -0.4])
    # By Holm the smallest of three p-values is multiplied by 3.
    least = min(pairs, key=lambda pair: pair.heads.p)
    assert least.p_corrected == pytest.approx(3 * least.heads.p)
    assert [pair.first for pair in compare_pairs(standings, every=False)] == [0, 0]


def test_seeds_are_compared_where_both_have_several() -> None:
    three, two, one = (
        run("x", 80, range(190), 3),
        run("y", 79, range(150), 2),
        run("z", 78, range(9)),
    )
    pairs = compare_pairs(rank([three, two, one]), every=True)
    assert [pair.over_seeds is None for pair in pairs] == [False, True, True]
    assert pairs[0].over_seeds.mean == pytest.approx(0.2)  # type: ignore[union-attr]


def test_texts_that_only_one_gets_right_are_found_with_their_text() -> None:
    standings = rank([run("x", 80, range(3, 200)), run("y", 79, range(198))])
    found = disagreements(standings)
    assert {(each.row, each.text) for each in found} == {
        *((101 + i, f"text {i}") for i in (0, 1, 2, 198, 199))
    }
    assert [each.row for each in only_right(found, 0, 1)] == [299, 300]
    assert all(each.predicted == ("b", "a") for each in only_right(found, 1, 0))
    assert found[0].confidence == pytest.approx(0.8)


def test_other_texts_or_sides_are_another_group() -> None:
    one = run("x", 80, range(200)).held_out
    assert one is not None
    (training,) = one.trainings
    moved = replace(training, test=replace(training.test, rows=training.test.rows + 1))
    others = (replace(one, corpus_digest="other"), replace(one, trainings=(moved,)))
    assert same_texts(one) == same_texts(run("y", 5, range(7)).held_out)  # type: ignore[arg-type]
    assert len({same_texts(each) for each in (one, *others)}) == 3


def report(*runs: ComparedRun, **more: Any) -> str:
    standings = rank(runs)
    every = CompareConfig(**more).all_pairs(len(standings))
    group = Group(standings, compare_pairs(standings, every), disagreements(standings))
    return Comparison((group,), (), 2, None).to_text()


def test_the_report_says_in_words_what_is_better() -> None:
    text = report(run("x", 80, range(200)), run("y", 79, range(150), parameters=3))
    assert re.search(
        r"run 1 \(x\) is better than run 2 \(y\) by 25\.0 points, 95 % interval 1[89]\.",
        text,
    )
    assert "only the first is right on 50 texts, only the second on 0; p = below 0.001" in text
    assert "choose by it" in text
    assert "runs 1, 2 are within noise of the best (paired, 95 %); run 2 has the few" in text
    assert text.count("  row ") == 2, "two examples of the one kind that there is"
    assert "row 251: a, not b: text 150" in text
    assert "Holm" not in text
    three = run("x", 80, range(150)), run("y", 50, range(1, 151)), run("z", 49, range(9))
    alike = report(*three)
    assert "run 1 (x) and run 2 (y) are equally often right" in alike
    assert "On validation run 1 is ahead of all others beyond noise (of run 2 by 2" in alike
    assert "corrected for 3 comparisons (Holm)" in alike
    other = replace(three[0], facts=replace(three[0].facts, encoder="f"))
    assert "pooled, f" in report(other, three[1])
    assert "pooled, e" not in alike
    near = report(run("x", 80, range(150)), run("y", 80, range(151)))
    assert "run 2 (y) against run 1 (x): no difference beyond chance, 0.5 points" in near


def test_a_difference_that_the_correction_takes_back_is_told() -> None:
    """7 texts against 0: p is 0.016 alone, and 0.062 as one of 4."""
    runs = [run("x", 80, range(150)), run("y", 79, range(143))]
    more = [run(f"z{i}", 78 - i, range(150)) for i in range(3)]
    assert "better than run 2 (y) by 3.5 points" in report(*runs)
    text = report(*runs, *more)
    assert "run 2 (y): a difference beyond chance alone, but not as one of 4 pairs, 3.5" in text


def test_of_many_runs_each_is_compared_with_the_first() -> None:
    runs = [run(f"r{i}", 80 - i, range(150 + i)) for i in range(5)]
    text = report(*runs)
    assert "Of all 10 pairs those with run 1; --pairs all compares the others too." in text
    assert "corrected for 4 comparisons" in text
    assert "corrected for 10 comparisons" in report(*runs, pairs="all")
