"""The report of a run: all of it, with nothing that a label could break."""

from __future__ import annotations

from dataclasses import replace

from pipeline.blending.report import blend_text
from pipeline.evaluation.breakdown import ClassScore, Part, Parts
from pipeline.evaluation.evaluation import Score
from pipeline.reports.report import LINE_WIDTH, result_text
from tests.support.results import BLEND, FEW, PLAIN, spread, trial


def classes(count: int) -> tuple[ClassScore, ...]:
    return tuple(
        ClassScore(f"class {i}", 0.5, 0.25, i / 100, support=10, predicted=5)
        for i in range(count)
    )


def parts(differ: bool) -> Parts:
    return Parts(
        (Part((3, 9), 100, 0.9, (0.85, 0.94)), Part((10, 99), 100, 0.6, (0.5, 0.7))), differ
    )


def test_it_begins_as_the_verdict_and_has_every_advice_and_score() -> None:
    text = result_text(PLAIN)
    assert text.startswith("logistic labels 60.0% of 180 test texts rightly.\n")
    assert (
        "Worth knowing:\n- The most frequent mistake: 6 of 26.\n- And another thing.\n" in text
    )
    for row in ("validation  logistic", "test        TF-IDF + logistic"):
        assert row in text
    assert "Chosen on the validation texts: C = 3 (5th of 8)." in text
    assert max(map(len, text.splitlines())) <= LINE_WIDTH


def test_scores_of_few_texts_are_none() -> None:
    text = result_text(replace(PLAIN, test=FEW, validation=FEW, baselines={}))
    assert text.count("too few texts (7) for a score") == 2
    assert "100.0%" not in text


def test_texts_without_a_near_copy_have_a_score_of_their_own_where_they_are_many() -> None:
    copied = replace(PLAIN, leaked=80, test_without_leaked=Score(0.5, 0.5, (0.4, 0.6), 100))
    text = result_text(copied)
    assert "test, not leaked" in text
    assert "80 of 180 test texts have a near-duplicate in the training texts." in text
    assert "The other 100 score 50.0% (40.0% to 60.0%)" in text
    few = result_text(replace(copied, leaked=173, test_without_leaked=FEW))
    assert "The other 7 are too few for a score of their own." in few
    assert "test, not leaked" not in few
    assert "No test text has a near-duplicate" in result_text(PLAIN)


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


def test_confidences_cut_texts_refit_and_ratings_in_sentences() -> None:
    found = replace(
        PLAIN, truncated=95, tokens_cut_share=0.097, refit=True, mean_absolute_error=0.6
    )
    text = " ".join(result_text(found).split())
    assert "The confidences of predict are 13.0 points away from how often" in text
    assert "chance alone gives 8.7" in text
    assert "Without the correction by temperature (0.77) it would be 11.0." in text
    assert "95 texts are longer than the encoder sees: 9.7% of all tokens are cut off" in text
    assert "the head was trained again, on the training and the validation texts" in text
    assert "0.60 away from the labels on average" in text


def test_seeds_and_folds_have_tables() -> None:
    both = replace(
        PLAIN, seeds=2, folds=5, over_seeds=spread(0.6), over_folds=spread(0.6),
        trainings=(trial(0), trial(1)),
    )  # fmt: skip
    text = result_text(both)
    assert "test, over 2 seeds" in text
    assert "test, over 5 folds" in text
    assert "The run holds the head of fold 1, seed 0" in text


def test_a_blend_beside_its_runs() -> None:
    text = blend_text(BLEND)
    assert "2: logistic over pooled, run two" in text
    assert "test       +20.0 points of accuracy, 95 % interval +10.0 to +30.0" in text
