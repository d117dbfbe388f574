"""The sentence of a verdict without a finding."""

from __future__ import annotations

import pytest

from pipeline.doctor.conclusion import state_of
from pipeline.doctor.measurements import References
from tests.support.doctor.cases import healthy, reference
from tests.support.doctor.measured import BEHIND, collapsed


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
