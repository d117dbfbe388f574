"""Settings far from the defaults: suspected only where the head with its defaults is better."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from heads.architectures.settings import CnnSettings
from pipeline.doctor.causes.departures import is_usual_rate, wanted_rate
from pipeline.doctor.counterfactual import ChangedSettings
from pipeline.doctor.measurements import (
    Audit,
    Measurements,
    Reference,
    References,
    Settings,
    Steps,
    Units,
)
from pipeline.doctor.measurements.data import DEFAULTS
from pipeline.doctor.measuring.defaults import default_settings, departures, seconds_of_defaults
from tests.support.doctor.cases import healthy, reference, suspected, trained_case
from tests.support.doctor.measured import learning
from tests.support.tables import marker_problem

AHEAD = References((reference("logistic", 0.79, -0.01), reference(DEFAULTS, 0.9, 0.1)))


def departing(
    references: References = AHEAD, usual: dict[str, Any] | None = None, **own: Any
) -> Measurements:
    """Return a head with settings of its own; ``usual`` are the defaults of these."""
    values = {"learning_rate": 2e-3, "optimizer": "adamw", **own}
    settings = Settings("cnn", "tokens", values, departs=usual or {}, usual_rate=2e-3)
    units = Units(smallest_layer=128)
    return healthy(settings=settings, references=references, units=units, audit=Audit())


GROUPS = [
    ("step_too_large", {"learning_rate": 0.02}, {"learning_rate": 2e-3}),
    ("step_too_small", {"learning_rate": 4e-4}, {"learning_rate": 2e-3}),
    ("too_few_steps", {"epochs": 3}, {"epochs": 20}),
    ("over_regularised", {"dropout": 0.9}, {"dropout": 0.3}),
    ("too_small_head", {"filters": 4}, {"filters": 128}),
    ("step_too_large", {"schedule": "constant"}, {"schedule": "cosine"}),
    ("step_too_large", {"warmup": 0.0, "clip": 0.0}, {"warmup": 0.1, "clip": 1.0}),
    ("step_too_small", {"warmup": 0.9}, {"warmup": 0.1}),
    ("step_too_small", {"averaging": 0.9999}, {"averaging": 0.99}),
    ("cut_off", {"max_vectors": 5}, {"max_vectors": 0}),
    ("loss_distorted", {"class_weights": "joy=10"}, {"class_weights": "none"}),
]


@pytest.mark.parametrize(("cause", "own", "usual"), GROUPS)
def test_each_setting_leads_to_its_cause_and_is_set_back(
    cause: str, own: dict[str, Any], usual: dict[str, Any]
) -> None:
    (found,) = suspected(departing(usual=usual, **own))
    assert found.cause.name == cause
    (change,) = found.suspicion.counterfactuals
    assert isinstance(change, ChangedSettings)
    assert change.settings == tuple((name, str(value)) for name, value in usual.items())


@pytest.mark.parametrize(("cause", "own", "usual"), GROUPS)
def test_where_the_defaults_are_no_better_nothing_is_suspected(
    cause: str, own: dict[str, Any], usual: dict[str, Any]
) -> None:
    level = References((reference(DEFAULTS, 0.81, 0.01),))
    assert suspected(departing(level, usual, **own)) == []
    assert suspected(departing(References(), usual, **own)) == []


def test_an_optimizer_of_another_scale_is_set_back_with_its_step_size() -> None:
    usual = {"optimizer": "adamw", "learning_rate": 2e-3, "momentum": 0.9}
    own = {"optimizer": "sgd", "learning_rate": 1e-3, "momentum": 0.0}
    (slow,) = suspected(departing(usual=usual, **own))
    assert slow.cause.name == "step_too_small"
    assert dict(slow.suspicion.remedy.settings) == {
        name: str(value) for name, value in usual.items()
    }
    moves = replace(departing(usual=usual, **own), steps=Steps(200, 10, update_ratio=-2.0))
    assert suspected(moves) == []


def test_with_few_texts_probabilities_say_that_the_defaults_are_ahead() -> None:
    unsure = Reference(DEFAULTS, 0.84, 0.04, (-0.02, 0.1), 0.84, (0.05, 0.2))
    known = departing(References((unsure,)), {"dropout": 0.3}, dropout=0.9)
    assert [each.cause.name for each in suspected(known)] == ["over_regularised"]
    level = References((replace(unsure, likelier=(-0.05, 0.2)),))
    assert suspected(departing(level, {"dropout": 0.3}, dropout=0.9)) == []


def test_a_deep_stack_is_set_back_as_a_whole_and_is_too_large_only_by_heart() -> None:
    own = {"dense": [64, 64, 64, 64], "dense_activation": "sigmoid"}
    deep = departing(usual={"dense": [], "dense_activation": "relu"}, **own)
    unlearned = replace(deep, learning=learning(train_accuracy=0.7))
    (dead,) = suspected(unlearned)
    assert dead.cause.name == "dead_or_saturated"
    assert dead.suspicion.remedy.settings == (("dense", ""), ("dense_activation", "relu"))
    assert [each.cause.name for each in suspected(deep)] == ["dead_or_saturated", "overfit"]


def test_a_rule_of_its_own_tries_the_defaults_as_well() -> None:
    narrow = departing(usual={"dense": []}, dense=[1])
    assert narrow.units is not None
    low = learning(accuracy=0.5, train_accuracy=0.5)
    known = replace(narrow, units=replace(narrow.units, smallest_layer=1), learning=low)
    (small,) = suspected(known)
    assert small.cause.name == "too_small_head"
    assert [each.change for each in small.suspicion.counterfactuals] == [
        "dense=4",
        "back to dense=''",
    ]


def test_the_setting_that_is_farther_from_its_default_is_tried_first() -> None:
    usual = {"dropout": 0.3, "filters": 128}
    names = [
        [each.cause.name for each in suspected(departing(usual=usual, **own))]
        for own in ({"dropout": 0.95, "filters": 64}, {"dropout": 0.4, "filters": 8})
    ]
    assert names == [
        ["over_regularised", "too_small_head"],
        ["too_small_head", "over_regularised"],
    ]


def test_the_step_size_to_try_is_near_the_default_of_adaptive_optimizers() -> None:
    known = departing(learning_rate=0.1)
    assert wanted_rate(known, 4e-4) == 1e-3
    assert wanted_rate(known, 2.5e-2) == 4e-3
    assert wanted_rate(departing(optimizer="sgd"), 4e-4) == 4e-4
    assert is_usual_rate(departing())
    assert not is_usual_rate(departing(learning_rate=2e-4))


def test_what_departs_is_what_may_do_harm() -> None:
    settings = {"filters": 8, "epochs": 4, "precision": "float32", "batch_size": 16}
    case = trained_case(marker_problem(200), "cnn", **settings)
    assert departures(case) == {"filters": 128, "epochs": 20}
    made = default_settings(case)
    assert isinstance(made, CnnSettings)
    assert (made.filters, made.epochs, made.batch_size) == (128, 20, 16)
    assert made.precision == "float32"
    head = case.train_again(made)
    case.remember(made, head)
    assert case.train_again(made) is head
    assert replace(case, seed=1).train_again(made) is not head
    assert departures(trained_case(marker_problem(200), "cnn", precision="float32")) == {}
    longest = int(marker_problem(200).table.lengths.max())
    for most, departs in ((longest, False), (1, True)):
        made = case.settings.model_copy(update={"max_vectors": most})
        cut = replace(case, settings=made, seconds=1.0)
        assert ("max_vectors" in departures(cut)) is departs
    assert seconds_of_defaults(cut) > seconds_of_defaults(replace(case, seconds=1.0))
