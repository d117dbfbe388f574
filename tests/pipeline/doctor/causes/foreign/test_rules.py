"""The rules for code of the user's own: what each is suspected by, and what is no sign."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.doctor.cause import suspicions
from pipeline.doctor.causes.foreign.batch_dependence import BATCH_DEPENDENCE, kind_of
from pipeline.doctor.causes.foreign.far_back import FAR_BACK
from pipeline.doctor.causes.foreign.gradient_fault import GRADIENT_FAULT
from pipeline.doctor.causes.foreign.loop_fault import LOOP_FAULT
from pipeline.doctor.causes.foreign.output_squashed import INVERSES, OUTPUT_SQUASHED
from pipeline.doctor.causes.foreign.scored_otherwise import SCORED_OTHERWISE
from pipeline.doctor.causes.foreign.step_size import (
    MODULE_STEP_TOO_LARGE,
    MODULE_STEP_TOO_SMALL,
)
from pipeline.doctor.foreign.examination import MODULE_CAUSES
from pipeline.doctor.measurements import Invariances, Measurements
from tests.support.doctor.cases import healthy

SOUND = Invariances(
    alone=1e-6,
    neighbours=1e-7,
    padded=1e-6,
    reversed=0.0,
    twice=0.0,
    by_heart=0.0,
    by_heart_steps=40,
    mode_difference=0.0,
    best_assignment=0.8,
    measured_score=0.8,
    median_length=30.0,
    reach=(0.3, None),
)


def measured(**found: Any) -> Measurements:
    return healthy(invariances=replace(SOUND, **found))


@pytest.mark.parametrize("cause", MODULE_CAUSES, ids=lambda cause: cause.name)
def test_a_sound_module_is_not_suspected(cause: Any) -> None:
    assert cause.suspect(measured()) is None
    assert cause.suspect(healthy()) is None  # nothing of it was measured


@pytest.mark.parametrize("kind", INVERSES)
def test_bounded_outputs(kind: str) -> None:
    found = OUTPUT_SQUASHED.suspect(measured(output=kind, floor=1.165, final_train_loss=1.2))
    assert found is not None
    assert found.measured
    assert "cannot fall below 1.165; its training loss rests at 1.200" in found.headline
    (change,) = found.counterfactuals
    assert "as logits" in change.change


@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        ({"padded": 2.0, "alone": 2.0}, "padding"),
        ({"alone": 2.0}, "padding"),
        ({"neighbours": 0.1, "alone": 0.1}, "neighbours"),
        ({"reversed": float("inf")}, "neighbours"),
        ({"twice": 0.5, "neighbours": 0.5, "padded": 0.5}, "state"),
        ({"padded": None, "alone": 5e-4}, ""),
    ],
)
def test_what_answers_depend_on(broken: dict[str, float], kind: str) -> None:
    values = measured(**broken)
    assert values.invariances is not None
    assert kind_of(values.invariances) == kind
    found = BATCH_DEPENDENCE.suspect(values)
    assert (found is not None) == bool(kind)
    assert (BATCH_DEPENDENCE.rule_out(values) is None) == bool(kind)


def test_gradients() -> None:
    stuck = GRADIENT_FAULT.suspect(measured(by_heart=0.4, by_heart_steps=300))
    assert stuck is not None
    assert "learn 16 texts by heart" in stuck.headline
    cut = GRADIENT_FAULT.suspect(measured(unchanged=("hidden.weight",)))
    assert cut is not None
    assert "cut off" in cut.explanation
    assert "hidden.weight" in cut.evidence[0].value


def test_frozen_weights_are_tried_and_told_at_once_where_nothing_is_learned() -> None:
    frozen = ("hidden.weight",)
    tried = GRADIENT_FAULT.suspect(measured(frozen=frozen))
    assert tried is not None
    assert not tried.measured
    assert tried.counterfactuals
    assert GRADIENT_FAULT.rule_out(measured(frozen=frozen)) is None
    assert GRADIENT_FAULT.suspect(measured(frozen=frozen, loop_score=0.8)) is None
    given = measured(frozen=frozen)
    came_trained = replace(given.settings, values={**given.settings.values, "epochs": 0})
    assert GRADIENT_FAULT.suspect(replace(given, settings=came_trained)) is None
    stuck = GRADIENT_FAULT.suspect(measured(frozen=frozen, by_heart=0.4, by_heart_steps=300))
    assert stuck is not None
    assert stuck.measured
    assert "frozen" in stuck.explanation
    assert stuck.evidence[1].value == "hidden.weight"


def test_what_is_read_from_padding_comes_before_what_is_not_learned() -> None:
    values = measured(padded=2.0, by_heart=0.4, by_heart_steps=300)
    found = suspicions(values, (GRADIENT_FAULT, BATCH_DEPENDENCE))
    assert [each.cause.name for each in found] == ["batch_dependence"]


def test_a_loop_that_is_behind_the_plain_one() -> None:
    for found, words in (
        ({"gradients_double": True}, "never clears the gradients"),
        ({"loop_moves": False}, "moves no weight"),
        ({}, "the training loop is at fault"),
    ):
        behind = LOOP_FAULT.suspect(measured(loop_score=0.4, loop_reference=0.3, **found))
        assert behind is not None
        assert words in behind.explanation
    assert LOOP_FAULT.suspect(measured(loop_score=0.79, gradients_double=True)) is None
    said = LOOP_FAULT.rule_out(measured(loop_score=0.79))
    assert said is not None
    assert said.why == "your loop reaches 79.0%"


def test_order_of_classes_and_modes() -> None:
    other = SCORED_OTHERWISE.suspect(
        measured(best_assignment=0.9, measured_score=0.1, order=(1, 0, 2))
    )
    assert other is not None
    assert "output 0 means 'anger', output 1 means 'joy'" in other.evidence[0].comparison
    assert SCORED_OTHERWISE.suspect(measured(best_assignment=0.95)) is None
    modes = SCORED_OTHERWISE.suspect(measured(mode_difference=0.6))
    assert modes is not None
    assert not modes.measured


def test_long_texts_and_a_gradient_that_fades() -> None:
    long = measured(median_length=300.0, reach=(0.1, 1e-6))
    assert FAR_BACK.suspect(long) is None  # nothing is wrong with what it reaches
    assert long.learning is not None
    ill = replace(long, learning=replace(long.learning, loss=1.09))
    found = FAR_BACK.suspect(ill)
    assert found is not None
    assert found.counterfactuals[0].change == "only the first 50 vectors of a text"
    assert FAR_BACK.rule_out(measured()) is not None


def test_step_sizes_that_do_not_suit() -> None:
    values = measured()
    assert values.learning is not None
    collapsed = replace(values.learning, loss=1.095, effective_classes=1.1)
    large = MODULE_STEP_TOO_LARGE.suspect(replace(values, learning=collapsed))
    assert large is not None
    assert "0.0002" in large.counterfactuals[0].change
    assert MODULE_STEP_TOO_SMALL.suspect(replace(values, learning=collapsed)) is None
