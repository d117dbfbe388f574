"""The table that ends a run: what comes first, what is left out, what a label cannot do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.evaluation.breakdown import ClassScore, Collapse, Part, Parts
from pipeline.evaluation.evaluation import Score
from pipeline.evaluation.result import Calibration, ExperimentResult, TrainingScore
from pipeline.reports.terminal import result_text

SCORE = Score(0.8, 0.7, (0.78, 0.82), 1000)
PLAIN = ExperimentResult(
    run=Path("runs/x"),
    head="cnn",
    layout="tokens",
    encoded=0,
    truncated=0,
    validation=SCORE,
    test=SCORE,
    baselines={"majority": SCORE},
    epochs=3,
    best_epoch=2,
    parameters=10,
    seconds={"encoding": 0.0, "training": 1.0},
    notes=(),
    calibration=Calibration(1.0, 0.1, 0.05, 0.02, 15),
)


def trial(seed: int, collapsed: bool) -> TrainingScore:
    return TrainingScore(1, seed, seed == 0, SCORE, SCORE, 1.0, 3, 2, collapsed, 1.0)


def classes(count: int) -> tuple[ClassScore, ...]:
    return tuple(
        ClassScore(f"class {i}", 0.5, 0.25, i / 100, support=10, predicted=5)
        for i in range(count)
    )


def parts(differ: bool) -> Parts:
    return Parts(
        (Part((3, 9), 100, 0.9, (0.85, 0.94)), Part((10, 99), 100, 0.6, (0.5, 0.7))), differ
    )


def test_a_collapse_comes_before_every_score() -> None:
    fallen = replace(PLAIN, collapse=Collapse("news", 0.99, 0.2))
    first = result_text(fallen).splitlines()[0]
    assert "collapsed" in first
    assert "'news' for 99.0%" in first
    assert "20.0%" in first
    assert "--head logistic" in first
    simplest = result_text(replace(fallen, head="logistic")).splitlines()[0]
    assert "--head logistic" not in simplest
    assert "manyheads audit" in simplest
    assert "collapsed" not in result_text(PLAIN)


def test_other_seeds_that_collapsed_are_told() -> None:
    some = replace(PLAIN, trainings=(trial(0, False), trial(1, True), trial(2, True)))
    assert result_text(some).startswith("2 of 3 trainings have collapsed")
    none = replace(PLAIN, trainings=(trial(0, False), trial(1, False)))
    assert "collapsed" not in result_text(none)


def test_few_classes_are_all_shown_and_of_many_the_worst() -> None:
    few = result_text(replace(PLAIN, classes=classes(10)))
    assert all(f"class {i} " in few for i in range(10))
    many = result_text(replace(PLAIN, classes=classes(11)[::-1]))
    assert "the worst 5 of 11 classes" in many
    assert [i for i in range(11) if f"class {i} " in many] == [0, 1, 2, 3, 4]
    assert many.index("class 0 ") < many.index("class 4 ")


def test_measures_of_nothing_are_a_dash_and_absent_classes_are_left_out() -> None:
    some = (
        ClassScore("never predicted", None, 0.0, 0.0, support=3, predicted=0),
        ClassScore("nowhere", None, None, None, support=0, predicted=0),
    )
    text = result_text(replace(PLAIN, classes=some))
    (line,) = (line for line in text.splitlines() if line.startswith("never predicted"))
    assert line.split()[2:] == ["-", "0.0%", "0.0%", "3"]
    assert "nowhere" not in text


def test_a_label_commands_no_terminal_and_breaks_no_line() -> None:
    wild = ClassScore("a\x1b[31m\nb\u202e" + "x" * 80, 0.5, 0.5, 0.5, support=3, predicted=3)
    text = result_text(replace(PLAIN, classes=(wild,)))
    assert "\x1b" not in text
    assert "\u202e" not in text
    (line,) = (line for line in text.splitlines() if line.startswith("a [31m b"))
    assert len(line) < 80


def test_length_and_truncation_are_told_where_they_matter() -> None:
    telling = result_text(replace(PLAIN, by_length=parts(True), by_truncation=parts(True)))
    assert "with length: 90.0% from 3, 60.0% from 10 to 99 tokens" in telling
    assert "100 whole texts, 60.0% (50.0% to 70.0%) of 100 truncated ones" in telling
    silent = result_text(replace(PLAIN, by_length=parts(False), by_truncation=parts(False)))
    assert "changes with" not in silent


def test_calibration_before_and_after() -> None:
    found = Calibration(0.71, 0.081, 0.023, 0.012, 15)
    text = result_text(replace(PLAIN, calibration=found))
    assert "8.1% without temperature, 2.3% at that of predict, 0.71; 1.2% is chance" in text
