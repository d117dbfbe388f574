"""Causes of the steps: what fires them, and the look-alikes that must not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.doctor.causes.steps.dead_or_saturated import DEAD_OR_SATURATED
from pipeline.doctor.causes.steps.step_too_large import STEP_TOO_LARGE
from pipeline.doctor.causes.steps.step_too_small import STEP_TOO_SMALL
from pipeline.doctor.causes.steps.too_few_steps import TOO_FEW_STEPS
from pipeline.doctor.causes.steps.unstable import UNSTABLE
from pipeline.doctor.counterfactual import ChangedSettings
from pipeline.doctor.measurements import (
    Layer,
    Neighbours,
    Noise,
    RateRange,
    References,
    Units,
)
from tests.support.doctor.cases import healthy, reference
from tests.support.doctor.measured import collapsed, epochs, learning, settings, steps

LARGE = {
    "settings": settings(learning_rate=0.1),
    "steps": steps(update_ratio=-0.9, early_ratio=-0.5, loss_rise=0.3),
    "rates": RateRange(2e-3, 8e-3, 0.05),
}


def test_weights_that_are_thrown_about_are_a_step_too_large() -> None:
    found = STEP_TOO_LARGE.suspect(collapsed(**LARGE))
    assert found is not None
    assert found.strength > 0.8
    (change,) = found.counterfactuals
    assert isinstance(change, ChangedSettings)
    assert change.settings == (("learning_rate", "0.002"),)
    assert STEP_TOO_SMALL.suspect(collapsed(**LARGE)) is None


BY_CHANCE = References((reference("tfidf_logistic", 0.34, 0.0),))
"""Of labels that have nothing to do with the texts."""


@pytest.mark.parametrize(
    "groups",
    [
        {"rates": RateRange(2e-3, 8e-3, 0.05)},  # the usual step size
        {**LARGE, "neighbours": Neighbours(0.33, 0.33, 0.4), "references": BY_CHANCE},
    ],
)
def test_a_collapse_alone_is_no_step_too_large(groups: dict[str, Any]) -> None:
    assert STEP_TOO_LARGE.suspect(collapsed(**groups)) is None


def test_a_large_step_that_does_no_harm_is_tried_only_if_all_signs_agree() -> None:
    assert STEP_TOO_LARGE.suspect(healthy(**LARGE)) is not None
    mild = {**LARGE, "steps": steps(update_ratio=-1.4)}
    assert STEP_TOO_LARGE.suspect(healthy(**mild)) is None


SMALL = {
    "settings": settings(learning_rate=4e-5),
    "steps": steps(update_ratio=-3.6),
    "rates": RateRange(2e-3, 8e-3, 0.05),
}


def test_weights_that_hardly_move_are_a_step_too_small() -> None:
    low = learning(accuracy=0.5, train_accuracy=0.52, epochs=epochs([1.1, 1.0, 0.9, 0.8]))
    found = STEP_TOO_SMALL.suspect(healthy(learning=low, **SMALL))
    assert found is not None
    assert found.strength > 0.8
    assert STEP_TOO_LARGE.suspect(collapsed(**SMALL)) is None


@pytest.mark.parametrize(
    ("low", "groups"),
    [
        ({"train_accuracy": 0.97}, SMALL),  # it has learned: dropout hides it, or too few texts
        ({"train_accuracy": 0.5}, {**SMALL, "steps": steps(update_ratio=-99.0)}),  # frozen
        ({"train_accuracy": 0.5}, {**SMALL, "steps": steps(update_ratio=-2.0)}),  # moves
    ],
)
def test_look_alikes_of_a_step_too_small(low: dict[str, Any], groups: dict[str, Any]) -> None:
    assert STEP_TOO_SMALL.suspect(healthy(learning=learning(**low), **groups)) is None


def test_a_training_that_still_improves_has_too_few_steps() -> None:
    given = settings(epochs=6, patience=5)
    rising = learning(
        accuracy=0.5,
        train_accuracy=0.6,
        best_epoch=6,
        epochs=epochs([1.4, 1.2, 1.0, 0.9, 0.8, 0.7]),
    )
    found = TOO_FEW_STEPS.suspect(
        healthy(learning=rising, settings=given, steps=steps(count=60))
    )
    assert found is not None
    assert dict(found.remedy.settings)["epochs"] == "18"
    done = replace(rising, train_accuracy=0.99)
    assert TOO_FEW_STEPS.suspect(healthy(learning=done, settings=given)) is None
    flat = replace(rising, epochs=epochs([1.4, 0.9, 0.8, 0.8, 0.8, 0.8]))
    assert TOO_FEW_STEPS.suspect(healthy(learning=flat, settings=given)) is None
    early = replace(rising, best_epoch=2)
    assert TOO_FEW_STEPS.suspect(healthy(learning=early, settings=given)) is None


def test_a_training_that_patience_ends_too_early() -> None:
    given = settings(epochs=50, patience=1)
    stopped = learning(
        train_accuracy=0.6,
        best_epoch=3,
        epochs=epochs([1.4, 1.2, 1.0, 0.9]),
        stopped_early=True,
    )
    assert TOO_FEW_STEPS.suspect(healthy(learning=stopped, settings=given)) is not None


def test_seeds_that_fail_are_unstable_unless_all_do() -> None:
    found = UNSTABLE.suspect(healthy(noise=Noise((0.8, 0.36, 0.79))))
    assert found is not None
    assert "1 of 3 seeds" in found.headline
    assert UNSTABLE.suspect(healthy(noise=Noise((0.8, 0.78, 0.79)))) is None
    assert UNSTABLE.suspect(healthy(noise=Noise((0.35, 0.34, 0.36)))) is None


DENSE = settings(
    dense=[64, 64], dense_init="normal", dense_activation="sigmoid", dense_norm=False
)


def units(dead: float, at_start: float) -> Units:
    """Return one layer with so many dead units, now and before the first step."""
    return Units((Layer("dense 1", "relu", 64, dead, 0.0, at_start, 0.0),), smallest_layer=64)


def test_units_that_are_dead_from_the_start() -> None:
    found = DEAD_OR_SATURATED.suspect(collapsed(units=units(0.9, 0.9), settings=DENSE))
    assert found is not None
    changes = [each.change for each in found.counterfactuals]
    assert changes == ["dense_init=default", "dense_activation=relu", "dense_norm=true"]


def test_units_that_die_in_training_are_another_matter() -> None:
    assert DEAD_OR_SATURATED.suspect(collapsed(units=units(0.9, 0.0), settings=DENSE)) is None
    alive = healthy(units=units(0.9, 0.9), settings=DENSE)
    assert DEAD_OR_SATURATED.suspect(alive) is None  # nothing is missing


def test_gradients_that_vanish_need_a_low_head() -> None:
    vanishing = steps(first_gradient=1e-7, last_gradient=1e-2)
    found = DEAD_OR_SATURATED.suspect(
        collapsed(units=units(0.0, 0.0), settings=DENSE, steps=vanishing)
    )
    assert found is not None
    small = steps(first_gradient=5e-3, last_gradient=1e-2)
    quiet = collapsed(units=units(0.0, 0.0), settings=DENSE, steps=small)
    assert DEAD_OR_SATURATED.suspect(quiet) is None
