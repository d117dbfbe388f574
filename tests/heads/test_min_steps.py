"""Few texts get more epochs, and only where nobody said how many."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from heads.persistence.checkpoint import DESCRIPTION, load, save
from heads.presets import OWN, SOURCES
from heads.problem import Problem
from heads.registry import HEADS, make_settings
from heads.settings import MAX_EPOCHS, TrainingSettings
from heads.trained import TrainedHead, fit, refit
from heads.training.trainer import start
from tests.support.tables import cluster_problem

BY_STEPS = [name for name in HEADS if issubclass(HEADS[name].settings, TrainingSettings)]
SMALL = {"min_steps": 30, "dense": (4,), "members": 1, "batch_size": 20}
CLASSES = ("a", "b", "c")


def settings_of(name: str, **overrides: object) -> TrainingSettings:
    settings = make_settings(name, overrides)
    assert isinstance(settings, TrainingSettings)
    return settings


def trained(problem: Problem, **overrides: object) -> TrainedHead:
    settings = settings_of("mlp", **{**SMALL, **overrides})
    sides = problem.train, problem.validation
    return fit("mlp", settings, problem.table, problem.labels, *sides, CLASSES, 0)


@pytest.mark.parametrize("name", BY_STEPS)
def test_few_texts_get_more_epochs_and_patience_and_many_get_none(name: str) -> None:
    plain = settings_of(name)
    few = plain.for_texts(100)  # two batches
    assert few.epochs == plain.min_steps // 2
    assert few.patience == math.ceil(plain.patience * few.epochs / plain.epochs)
    assert few.for_texts(100) == few
    assert plain.for_texts(50_000) is plain
    assert plain.for_texts(1).epochs == plain.min_steps
    assert settings_of(name, min_steps=0).for_texts(1) == settings_of(name, min_steps=0)


@pytest.mark.parametrize("name", BY_STEPS)
def test_who_says_how_many_epochs_gets_them(name: str) -> None:
    assert settings_of(name, epochs=3).for_texts(1).epochs == 3
    assert settings_of(name, epochs="3").min_steps == 0
    assert settings_of(name, epochs=3, min_steps=9).for_texts(1).epochs == 9
    old = settings_of(name).model_dump()
    del old["min_steps"]
    assert make_settings(name, old).for_texts(1).epochs == old["epochs"]  # type: ignore[attr-defined]


def test_presets_of_published_systems_keep_their_epochs() -> None:
    for preset in SOURCES.values():
        settings = settings_of(preset.head, **preset.overrides(3))
        assert settings.for_texts(1) is settings
    long = OWN["LONG"]
    assert settings_of(long.head, **long.overrides(3)).for_texts(1).epochs > 100


def test_patience_and_epochs_stay_readable() -> None:
    most = settings_of("mlp", min_steps=MAX_EPOCHS, patience=MAX_EPOCHS).for_texts(1)
    assert make_settings("mlp", most.model_dump()) == most


def test_the_head_keeps_the_epochs_that_it_learned_by(tmp_path: Path) -> None:
    problem = cluster_problem(80)  # three batches of 20
    head = trained(problem)
    assert head.settings.epochs == 20  # type: ignore[attr-defined]
    assert head.settings == settings_of("mlp", **SMALL).for_texts(60)
    more = trained(problem, min_steps=90, patience=1000)
    assert len(more.history) == 30
    assert more.history[-1].value < 0.01 * max(each.value for each in more.history)
    save(more, tmp_path)
    assert load(tmp_path).settings == more.settings
    stored = json.loads((tmp_path / DESCRIPTION).read_text())["settings"]
    assert stored["epochs"] == 30


def test_a_refit_on_more_texts_goes_by_the_same_epochs() -> None:
    problem = cluster_problem(80)
    head = trained(problem, min_steps=90)
    everything = np.arange(80)
    steps = start(
        HEADS["mlp"].build,  # type: ignore[arg-type]
        head.settings,  # type: ignore[arg-type]
        replace(problem, train=everything),
        0,
    ).steps
    assert steps == 30 * 4
    again = refit(head, problem.table, problem.labels, problem.train, 0)
    for key, value in head.state.items():
        np.testing.assert_array_equal(again.state[key], value)
