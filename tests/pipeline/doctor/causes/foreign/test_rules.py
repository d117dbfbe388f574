"""The rules for code of the user's own: what each is suspected by, and what is no sign."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.doctor.cause import suspicions
from pipeline.doctor.causes.foreign.batch_dependence import BATCH_DEPENDENCE, kind_of
from pipeline.doctor.causes.foreign.dropped import MODULE_OVER_REGULARISED
from pipeline.doctor.causes.foreign.far_back import FAR_BACK
from pipeline.doctor.causes.foreign.few_steps import MODULE_TOO_FEW_STEPS
from pipeline.doctor.causes.foreign.gradient_fault import GRADIENT_FAULT
from pipeline.doctor.causes.foreign.loop_fault import LOOP_FAULT
from pipeline.doctor.causes.foreign.narrow import MODULE_TOO_SMALL
from pipeline.doctor.causes.foreign.output_squashed import INVERSES, OUTPUT_SQUASHED
from pipeline.doctor.causes.foreign.scored_otherwise import SCORED_OTHERWISE
from pipeline.doctor.causes.foreign.step_size import (
    MODULE_STEP_TOO_LARGE,
    MODULE_STEP_TOO_SMALL,
)
from pipeline.doctor.causes.foreign.uneven import ESTIMATOR_IMBALANCE, MODULE_IMBALANCE
from pipeline.doctor.foreign.counterfactual import ChangedLoop
from pipeline.doctor.foreign.examination import MODULE_CAUSES
from pipeline.doctor.measurements import Invariances, Measurements, References
from tests.support.doctor.cases import healthy, reference

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
        ({"loop_moves": False, "loop_unmoved": ("hidden.weight",)}, "moves no weight"),
        ({"loop_unmoved": ("hidden.weight",)}, "never moves hidden.weight"),
        ({"loop_finite": False}, "ends in NaN"),
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


def learning_little(**found: Any) -> Measurements:
    """Return measurements of a module that knows as little of its training texts."""
    values = measured(**found)
    assert values.learning is not None
    learning = replace(values.learning, accuracy=0.5, train_accuracy=0.52, best_epoch=10)
    references = References((reference("logistic", 0.8, 0.3),))
    settings = replace(
        values.settings,
        values={"epochs": 10, "batch_size": 64, "learning_rate": 1e-3},
    )
    return replace(values, learning=learning, references=references, settings=settings)


def test_a_module_that_drops_too_much() -> None:
    much = MODULE_OVER_REGULARISED.suspect(learning_little(dropped=0.9))
    usual = MODULE_OVER_REGULARISED.suspect(learning_little(dropped=0.5))
    assert much is not None
    assert usual is not None
    assert much.strength > usual.strength
    assert much.evidence[0].sentence == "a layer drops: 90% (0 to 50 % is usual)"
    assert MODULE_OVER_REGULARISED.suspect(learning_little(dropped=0.1)) is None
    assert (
        MODULE_OVER_REGULARISED.suspect(measured(dropped=0.9)) is None
    )  # it learns all the same


def test_a_loop_that_ends_too_early() -> None:
    falling = (1.0, 0.9, 0.8, 0.7)
    found = MODULE_TOO_FEW_STEPS.suspect(learning_little(train_losses=falling))
    assert found is not None
    (change,) = found.counterfactuals
    assert (change.change, change.trainings) == ("epochs 10 -> 30", 3.0)
    assert MODULE_TOO_FEW_STEPS.suspect(learning_little(train_losses=(0.7,) * 4)) is None
    assert MODULE_TOO_FEW_STEPS.suspect(measured(train_losses=falling)) is None
    little = learning_little(train_losses=falling)
    assert MODULE_STEP_TOO_SMALL.suspect(little) is not None
    few = replace(little, labels=replace(little.labels, train_texts=300))
    assert MODULE_STEP_TOO_SMALL.suspect(few) is None  # more steps come first


def test_outputs_that_move_in_few_directions() -> None:
    narrow = MODULE_TOO_SMALL.suspect(learning_little(directions=1))
    assert narrow is not None
    assert (
        "directions in which the outputs differ between texts: 1" in narrow.evidence[0].sentence
    )
    assert not narrow.measured
    stuck = learning_little(directions=1, by_heart=0.4, by_heart_steps=300)
    told = MODULE_TOO_SMALL.suspect(stuck)
    assert told is not None
    assert told.measured
    assert GRADIENT_FAULT.suspect(stuck) is None  # one of them says it
    assert MODULE_TOO_SMALL.suspect(learning_little(directions=2)) is None
    assert MODULE_TOO_SMALL.suspect(measured(directions=1)) is None


def test_what_has_not_learned_has_no_order_of_classes() -> None:
    shuffled = {"best_assignment": 0.9, "measured_score": 0.1, "order": (1, 0, 2)}
    assert SCORED_OTHERWISE.suspect(measured(**shuffled, train_losses=(1.09,))) is None
    assert SCORED_OTHERWISE.suspect(measured(**shuffled, train_losses=(1.09, 0.5))) is not None


def test_rare_classes_that_a_module_loses() -> None:
    values = measured()
    assert values.learning is not None
    lost = replace(
        values.learning, majority=0.79, macro_f1=0.4, recalls=(0.99, 0.0, 0.1), accuracy=0.81
    )
    labels = replace(values.labels, train_counts=(480, 60, 60), validation_counts=(160, 20, 20))
    found = MODULE_IMBALANCE.suspect(replace(values, learning=lost, labels=labels))
    assert found is not None
    (change,) = found.counterfactuals
    assert isinstance(change, ChangedLoop)
    assert (change.loop, change.measure) == ((("balanced", True),), "macro_f1")
    assert "CrossEntropyLoss(weight=...)" in found.remedy.words


def test_rare_classes_that_an_estimator_loses() -> None:
    values = measured(fitted_here=True)
    assert values.learning is not None
    lost = replace(
        values.learning, majority=0.79, macro_f1=0.4, recalls=(0.99, 0.0, 0.1), accuracy=0.81
    )
    labels = replace(values.labels, train_counts=(480, 60, 60), validation_counts=(160, 20, 20))
    uneven = replace(values, learning=lost, labels=labels)
    found = ESTIMATOR_IMBALANCE.suspect(uneven)
    assert found is not None
    assert "class_weight='balanced'" in found.remedy.words
    assert uneven.invariances is not None
    for changes in (
        {"parameters": (("logisticregression__class_weight", "balanced"),)},
        {"fitted_here": False},  # it cannot be fitted anew
    ):
        known = replace(uneven, invariances=replace(uneven.invariances, **changes))  # type: ignore[arg-type]
        assert ESTIMATOR_IMBALANCE.suspect(known) is None


def test_step_sizes_that_do_not_suit() -> None:
    values = measured()
    assert values.learning is not None
    collapsed = replace(values.learning, loss=1.095, effective_classes=1.1)
    large = MODULE_STEP_TOO_LARGE.suspect(replace(values, learning=collapsed))
    assert large is not None
    assert "0.0002" in large.counterfactuals[0].change
    assert MODULE_STEP_TOO_SMALL.suspect(replace(values, learning=collapsed)) is None
