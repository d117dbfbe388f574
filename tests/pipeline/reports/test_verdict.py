"""What ends a run: few lines, in words, with one thing worth knowing and a command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.command_line import FROM_MAKE
from pipeline.evaluation.evaluation import Difference
from pipeline.reports.verdict import verdict_text
from tests.support.results import BLEND, FEW, PLAIN, TIE, WORSE, spread, trial

README = Path(__file__).resolve().parents[3] / "README.md"
MOST_LINES = 12
ADVICE = (
    "The most frequent mistake: 6 of 26 'anger' texts are taken for 'shame'. errors.jsonl "
    "beside the report lists every mistake."
)


def test_the_readme_shows_what_a_run_ends_with() -> None:
    told = verdict_text(replace(PLAIN, advice=(ADVICE,)))
    assert f"```text\n{told}\n```" in README.read_text(encoding="utf-8")


def test_the_score_its_rivals_one_thing_and_a_command() -> None:
    told = verdict_text(PLAIN)
    assert told.splitlines() == [
        "logistic labels 60.0% of 180 test texts rightly.",
        "Other texts of this kind would give 52.7% to 66.9% (95 % interval).",
        "Better than always answering the most frequent label (14.4%), beyond noise.",
        "Better than TF-IDF + logistic regression on the words (40.0%), beyond noise.",
        "",
        "Worth knowing: The most frequent mistake: 6 of 26.",
        "",
        "Next: manyheads train --head attention",
        "Report: runs/20261127-190559-logistic-7384dc/report.txt; beside it confusion.png, "
        "calibration.png",
    ]


def test_worse_and_undecided_are_said_as_plainly() -> None:
    worse, tie = (
        verdict_text(replace(PLAIN, against={**PLAIN.against, "tfidf_logistic": found}))
        for found in (WORSE, TIE)
    )
    assert (
        "\nWorse than TF-IDF + logistic regression on the words (40.0%), beyond noise." in worse
    )
    assert (
        "\nNo clear difference from TF-IDF + logistic regression on the words (40.0%): "
        "-2.2 points are within noise." in tie
    )
    same = replace(TIE, difference=0.0)
    equal = verdict_text(replace(PLAIN, against={"tfidf_logistic": same}))
    assert "No difference from TF-IDF + logistic regression on the words (40.0%)." in equal


def test_an_older_run_has_no_comparison() -> None:
    told = verdict_text(replace(PLAIN, against={}, advice=(), command=""))
    assert "For comparison, TF-IDF + logistic regression on the words (40.0%)." in told
    assert "Next" not in told


def test_few_texts_have_no_score() -> None:
    told = verdict_text(replace(PLAIN, test=FEW))
    assert told.startswith("Too few test texts (7) for a score.\n\n")
    assert "%" not in told


def test_seeds_and_folds_say_what_else_would_vary() -> None:
    seeds = replace(PLAIN, seeds=2, over_seeds=spread(0.6), trainings=(trial(0), trial(1)))
    told = verdict_text(seeds)
    assert "60.0% of 180 test texts rightly, on average over 2 seeds." in told
    assert "Other seeds would give 59.0% to 61.0%, other texts of this kind 53.0%" in told
    assert "The head in the run, of seed 0, is the best on validation: 60.0%." in told
    folds = replace(seeds, folds=5, over_folds=spread(0.6), over_seeds=None, seeds=1)
    told = verdict_text(folds)
    assert "180 texts rightly, each by a head that did not learn from it (5 folds)." in told
    assert "Other folds would give" in told
    for result in (PLAIN, seeds, folds, replace(seeds, folds=5, over_folds=spread(0.6)), BLEND):
        assert len(verdict_text(result).splitlines()) <= MOST_LINES


def test_a_blend_is_set_against_its_best_run() -> None:
    told = verdict_text(BLEND)
    assert "Better than the run that is best on validation, two (40.0%), beyond noise." in told
    tie = replace(BLEND, gain_test=Difference(0.01, (-0.02, 0.03)))
    assert "No clear difference from the run that is best on validation" in verdict_text(tie)


def test_commands_have_the_form_of_make_where_make_was_typed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(FROM_MAKE, "1")
    assert "\nNext: make train HEAD=attention\n" in verdict_text(PLAIN)


def test_a_label_commands_no_terminal() -> None:
    assert "\x1b" not in verdict_text(replace(PLAIN, advice=("'a\x1b[31m\nb'",)))
