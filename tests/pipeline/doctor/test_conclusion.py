"""The sentence of a verdict without a finding."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.doctor.conclusion import state_of
from pipeline.doctor.measurements import Labels, References
from tests.support.doctor.cases import healthy, reference
from tests.support.doctor.measured import BEHIND, collapsed, learning, settings


def test_an_unknown_cause_names_what_does_better() -> None:
    state, words = state_of(healthy(references=BEHIND), ())
    assert state == "unknown"
    assert words.endswith("explains it. Until it is found, take logistic.")


@pytest.mark.parametrize("references", [None, References((reference("logistic", 0.3, 0.0),))])
def test_an_unknown_cause_names_nothing_that_is_no_better(
    references: References | None,
) -> None:
    state, words = state_of(collapsed(references=references), ())
    assert state == "unknown"
    assert words.endswith("explains it.")


def test_a_reference_that_is_ahead_within_noise_is_no_fault_and_told_as_such() -> None:
    ahead = References((reference("logistic", 0.86, 0.06, half=0.08),))
    state, words = state_of(healthy(references=ahead), ())
    assert state == "healthy"
    assert words.endswith("logistic has 86.0%; 200 texts do not tell the two apart.")
    assert "apart" not in state_of(healthy(), ())[1]


def test_weights_of_uneven_classes_give_accuracy_for_rare_ones() -> None:
    uneven = Labels(("joy", "anger"), (540, 60), (180, 20), 600, 200)
    ahead = References((reference("logistic", 0.9, 0.1),))
    weighed = healthy(
        labels=uneven,
        learning=learning(accuracy=0.8, macro_f1=0.95, majority=0.9),
        references=ahead,
        settings=settings(class_weights="balanced"),
    )
    assert (weighed.behind, weighed.missing_points) == (False, 0.0)
    state, words = state_of(weighed, ())
    assert state == "healthy"
    assert words == (
        "Nothing to mend, as classes are weighed: macro-F1 0.95, logistic has 0.90 (accuracy "
        "80.0% and 90.0%)."
    )
    for plain in (
        replace(weighed, settings=settings(class_weights="none")),
        replace(weighed, labels=healthy().labels),
        replace(weighed, learning=learning(accuracy=0.8, macro_f1=0.5, majority=0.9)),
    ):
        assert plain.behind
        assert state_of(plain, ())[0] == "unknown"
