"""Ensembles: members learn as they would alone, and their probabilities are averaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from features.errors import SettingError
from heads.architectures.ensemble import Ensemble
from heads.head import SequenceHead
from heads.persistence.checkpoint import load, save
from heads.problem import Problem
from heads.registry import HEADS, head_type, make_settings
from heads.settings import TrainingSettings
from heads.trained import TrainedHead, fit
from heads.training.batches import gather
from tests.support.tables import cluster_problem, marker_problem

CLASSES = ("a", "b", "c")
SEQUENCES = ("cnn", "lstm", "cnn_lstm", "attention", "meanmax")
STILL = {"dropout": 0.0, "input_dropout": 0.0, "epochs": 1, "batch_size": 16}


def train(name: str, problem: Problem, **overrides: object) -> TrainedHead:
    sides = problem.train, problem.validation, CLASSES
    settings = make_settings(name, overrides)
    return fit(name, settings, problem.table, problem.labels, *sides, seed=3)


@pytest.mark.parametrize("name", SEQUENCES)
def test_without_dropout_a_member_learns_what_it_learns_alone(name: str) -> None:
    still = STILL | ({"layer_dropout": 0.0} if "lstm" in name else {})
    problem = marker_problem()
    alone = train(name, problem, **still, members=1)
    among = train(name, problem, **still, members=3)
    for key, value in alone.state.items():
        shared = key.startswith("inputs.")
        found = among.state[key if shared else f"members.0.{key}"]
        assert np.allclose(found, value, atol=1e-6), key
        if not shared:
            other = among.state[f"members.1.{key}"]
            assert value.size < 4 or not np.allclose(other, value, atol=1e-3), key
    assert among.parameters == 3 * alone.parameters
    assert [key for key in among.state if "inputs." in key] == ["inputs.center", "inputs.scale"]


@pytest.mark.parametrize("name", SEQUENCES)
def test_probabilities_are_the_mean_of_the_members(name: str) -> None:
    problem = marker_problem()
    trained = train(name, problem, epochs=2, members=2)
    module = trained.module
    assert isinstance(module, Ensemble)
    batch = gather(problem.table, problem.validation)
    with torch.inference_mode():
        votes = module.member_logits(batch.x, batch.mask)
        assert votes.shape == (2, len(problem.validation), 3)
        mean = torch.softmax(votes, dim=2).mean(dim=0).numpy()
    assert float((votes[0] - votes[1]).abs().max()) > 1e-3
    found = trained.predict_proba(problem.table, problem.validation)
    assert np.allclose(found, mean, atol=1e-5)


def test_members_lose_other_features() -> None:
    settings = make_settings("cnn", {"members": 2, "input_dropout": 0.5})
    head = head_type("cnn").build(settings, 64, 3)
    assert isinstance(head, Ensemble)
    x, mask = torch.ones(8, 5, 64), torch.ones(8, 5, dtype=torch.bool)
    first, second = head.train().member_heads()
    assert isinstance(first, SequenceHead)
    assert isinstance(second, SequenceHead)
    assert not torch.equal(first.drop_inputs(x), second.drop_inputs(x))
    assert torch.equal(head.eval()(x, mask), head(x, mask))


def test_max_vectors_and_its_padding_hold_for_all_members() -> None:
    settings = make_settings("cnn", {"members": 2, "max_vectors": 4, "pooling": "flatten"})
    head = head_type("cnn").build(settings, 6, 3).eval()
    assert (head.max_vectors, head.min_vectors) == (4, 4)
    x = torch.randn(5, 9, 6)
    other = torch.cat([x[:, :4], torch.randn(5, 5, 6)], dim=1)
    mask = torch.ones(5, 9, dtype=torch.bool)
    assert torch.equal(head(x, mask), head(other, mask))


def test_an_ensemble_learns_and_comes_back_from_its_files(tmp_path: Path) -> None:
    problem = cluster_problem()
    trained = train("mlp", problem, members=3)
    logits = trained.logits(problem.table, problem.validation)
    assert np.mean(logits.argmax(axis=1) == problem.labels[problem.validation]) > 0.95
    save(trained, tmp_path)
    again = load(tmp_path).logits(problem.table, problem.validation)
    assert np.array_equal(again, logits)


def test_clipping_holds_for_each_member_by_itself() -> None:
    problem = marker_problem()
    alone = train("attention", problem, **STILL, members=1, clip=0.01)
    among = train("attention", problem, **STILL, members=3, clip=0.01)
    found = among.state["members.0.output.weight"]
    assert np.allclose(found, alone.state["output.weight"], atol=1e-6)


@pytest.mark.parametrize("members", ["0", "65", "two"])
def test_a_number_of_members_that_will_not_do_is_refused(members: str) -> None:
    with pytest.raises(SettingError, match="members"):
        make_settings("cnn", {"members": members})


def test_every_head_that_learns_by_steps_takes_members() -> None:
    for head in HEADS.values():
        assert ("members" in head.settings.model_fields) == issubclass(
            head.settings, TrainingSettings
        )
