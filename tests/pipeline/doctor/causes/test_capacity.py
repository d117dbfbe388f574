"""Causes of size, regularisation and loss: what fires them, and what must not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.doctor.causes.capacity.loss_distorted import LOSS_DISTORTED
from pipeline.doctor.causes.capacity.over_regularised import OVER_REGULARISED
from pipeline.doctor.causes.capacity.overfit import OVERFIT
from pipeline.doctor.causes.capacity.sizes import larger, smaller
from pipeline.doctor.causes.capacity.too_few_texts import TOO_FEW_TEXTS
from pipeline.doctor.causes.capacity.too_small_head import TOO_SMALL_HEAD
from pipeline.doctor.measurements import Epoch, Labels, Learning, References, Units
from tests.support.doctor.cases import healthy, reference
from tests.support.doctor.measured import BEHIND, learning, settings


def with_gap(gap: float, **changes: Any) -> Learning:
    """Return a head whose training texts are right so much more often."""
    return learning(accuracy=0.6, train_accuracy=0.6 + gap, **changes)


def rising() -> tuple[Epoch, ...]:
    """Return a history whose validation loss is lowest in the second of eight epochs."""
    losses = [1.0, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4]
    return tuple(
        Epoch(i, 0.1, 1.0, loss, 0.6, 1e-3, 1.0) for i, loss in enumerate(losses, start=1)
    )


def test_a_gap_with_a_better_simple_head_is_overfitting() -> None:
    given = settings("lstm", units=256, dense=[512, 256])
    found = OVERFIT.suspect(
        healthy(learning=with_gap(0.4, epochs=rising()), references=BEHIND, settings=given)
    )
    assert found is not None
    assert found.strength >= 0.6
    assert [each.change for each in found.counterfactuals] == [
        "a smaller head: units=64, dense=",
        "head -> logistic",
    ]


def test_the_mean_of_long_texts_does_not_prove_a_last_state_too_large() -> None:
    given = settings("lstm", units=256, pooling="last")
    long = Units(median_length=96.0)
    found = OVERFIT.suspect(
        healthy(learning=with_gap(0.4), references=BEHIND, settings=given, units=long)
    )
    assert found is not None
    assert [each.change for each in found.counterfactuals] == ["a smaller head: units=64"]
    assert found.strength < 0.5


def test_a_gap_or_a_rising_loss_alone_is_no_fault() -> None:
    assert OVERFIT.suspect(healthy(learning=with_gap(0.4, epochs=rising()))) is None
    assert OVERFIT.suspect(healthy(learning=with_gap(0.05), references=BEHIND)) is None


@pytest.mark.parametrize(
    ("values", "change"),
    [
        ({"dropout": 0.9, "input_dropout": 0.5}, "input_dropout=0, dropout=0"),
        ({"label_smoothing": 0.6}, "label_smoothing=0"),
        (
            {"weight_decay": 5.0, "optimizer": "adamw", "learning_rate": 1e-2},
            "weight_decay=0.01",
        ),
    ],
)
def test_what_holds_the_head_back_is_named(values: dict[str, Any], change: str) -> None:
    given = settings(**values)
    low = healthy(learning=with_gap(0.0), references=BEHIND, settings=given)
    found = OVER_REGULARISED.suspect(low)
    assert found is not None
    assert found.counterfactuals[0].change == change
    usual = replace(low, settings=settings(dropout=0.5, input_dropout=0.2))
    assert OVER_REGULARISED.suspect(usual) is None
    learned = replace(low, learning=with_gap(0.3))
    assert OVER_REGULARISED.suspect(learned) is None


def test_a_layer_smaller_than_the_classes_is_too_small() -> None:
    low = healthy(
        learning=with_gap(0.01),
        references=BEHIND,
        settings=settings("mlp", dense=[2]),
        units=Units(smallest_layer=2),
    )
    found = TOO_SMALL_HEAD.suspect(low)
    assert found is not None
    assert dict(found.remedy.settings) == {"dense": "8"}
    assert TOO_SMALL_HEAD.suspect(replace(low, units=Units(smallest_layer=64))) is None
    assert TOO_SMALL_HEAD.suspect(replace(low, learning=with_gap(0.3))) is None


def test_heads_get_smaller_and_larger() -> None:
    assert smaller({"units": 96, "dense": []}) == (("units", "24"),)
    assert smaller({"dense": [256, 64]}) == (("dense", "64,16"),)
    assert larger({"filters": 8, "dense": [4]}) == (("filters", "32"), ("dense", "16"))
    assert smaller({}) == larger({}) == ()


@pytest.mark.parametrize(
    "values",
    [
        {"loss": "hardest", "hardest": 8, "batch_size": 64},
        {"loss": "focal", "focal_gamma": 6.0},
        {"class_weights": "joy=100"},
    ],
)
def test_extreme_losses_are_tried(values: dict[str, Any]) -> None:
    assert LOSS_DISTORTED.suspect(healthy(settings=settings(**values))) is not None


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"loss": "hardest", "hardest": 64, "batch_size": 64},
        {"loss": "focal", "focal_gamma": 2.0},
        {"loss": "cross_entropy", "focal_gamma": 9.0},
        {"class_weights": "balanced"},
    ],
)
def test_usual_losses_are_not(values: dict[str, Any]) -> None:
    assert LOSS_DISTORTED.suspect(healthy(settings=settings(**values))) is None


def test_few_texts_with_a_steep_curve_are_too_few() -> None:
    few = Labels(("joy", "anger", "fear"), (12, 15, 14), (5, 5, 5), 41, 15)
    steep = References(
        (reference("logistic", 0.79, 0.0),),
        half=0.6,
        whole=0.7,
        doubling_interval=(0.04, 0.16),
    )
    measured = healthy(labels=few, references=steep)
    assert TOO_FEW_TEXTS.suspect(measured) is not None
    assert TOO_FEW_TEXTS.suspect(replace(measured, labels=healthy().labels)) is None
    flat = replace(steep, whole=0.605, doubling_interval=(-0.02, 0.03))
    assert TOO_FEW_TEXTS.suspect(replace(measured, references=flat)) is None
    twenty = Labels(("joy", "anger", "fear"), (20, 20, 20), (20, 20, 20), 60, 60)
    poor = replace(measured, learning=learning(accuracy=0.7))
    assert TOO_FEW_TEXTS.suspect(replace(poor, labels=twenty)) is not None
    fair = replace(measured, learning=learning(accuracy=0.85))
    assert TOO_FEW_TEXTS.suspect(fair) is not None
    assert TOO_FEW_TEXTS.suspect(replace(fair, labels=twenty)) is None  # not poor
    handful = Labels(("joy", "anger", "fear"), (5, 4, 5), (20, 20, 20), 14, 60)
    told = TOO_FEW_TEXTS.suspect(replace(measured, labels=handful, references=flat))
    assert told is not None
    assert told.measured
    better = replace(steep, references=(reference("logistic", 0.9, 0.1),))
    assert TOO_FEW_TEXTS.suspect(replace(measured, references=better)) is None
