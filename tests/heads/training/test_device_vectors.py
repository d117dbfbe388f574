"""Vectors on a device: the same batches and, but for the random numbers, the same heads.

``cpu:0`` is the processor under another name: all that a GPU's way does differently runs here,
and must then give the very same numbers. What only a GPU can show is skipped without one.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from features.errors import BadVectorError, DivergedError
from features.vectors.table import TOKENS, FeatureTable
from heads.device import CPU
from heads.layers.lstm_steps import unroll
from heads.layers.masking import reversal
from heads.layers.recurrence import by_torch
from heads.layers.standardize import statistics
from heads.learning_rate import range_test
from heads.problem import Problem
from heads.registry import HEADS, head_type, make_settings
from heads.settings import TrainingSettings
from heads.trained import TrainedHead, fit, refit
from heads.training import device_vectors
from heads.training.batches import batches
from heads.training.device_vectors import (
    ResidentVectors,
    StreamedVectors,
    device_batches,
    moved,
    vectors_on,
)
from heads.training.optimizers import KerasRMSprop
from heads.training.trainer import Trainer, _measured
from tests.support.tables import cluster_problem, make_table, marker_problem

OTHER = "cpu:0"
BY_STEPS = [name for name in HEADS if issubclass(HEADS[name].settings, TrainingSettings)]
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")


@pytest.fixture(params=[1 << 40, 0], ids=["resident", "streamed"])
def room(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Bytes free on the device."""
    monkeypatch.setattr(device_vectors, "free_memory", lambda device: request.param)
    return int(request.param)


def train(name: str, device: str, **overrides: object) -> tuple[TrainedHead, Problem]:
    problem = cluster_problem() if name == "mlp" else marker_problem()
    settings = make_settings(name, {"epochs": 2, "members": 2, **overrides})
    sides = problem.train, problem.validation, ("a", "b", "c")
    return fit(name, settings, problem.table, problem.labels, *sides, 3, device=device), problem


@pytest.mark.parametrize("max_vectors", [0, 3])
def test_batches_are_those_of_the_processor(room: int, max_vectors: int) -> None:
    table = make_table([1, 7, 3, 3, 9, 2, 1, 5])
    rows = np.array([6, 0, 4, 2, 7, 1])
    for random in (None, 5):
        rng = [None if random is None else np.random.default_rng(random) for _ in range(2)]
        ours = device_batches(table, rows, 2, OTHER, rng[0], max_vectors)
        for (places, batch), (expected, other) in zip(
            ours, batches(table, rows, 2, rng[1], max_vectors), strict=True
        ):
            assert places.tolist() == expected.tolist()
            assert batch.rows.tolist() == other.rows.tolist()
            assert torch.equal(batch.x, other.x)
            assert torch.equal(batch.mask, other.mask)


@cache
def learned_on_the_processor(name: str) -> tuple[TrainedHead, Problem, TrainedHead]:
    """What every room is compared with: a head, its texts, and it trained again on all."""
    here, problem = train(name, CPU, class_weights="balanced")
    rows = np.arange(len(problem.table))
    return here, problem, refit(here, problem.table, problem.labels, rows, 3)


@pytest.mark.usefixtures("room")
@pytest.mark.parametrize("name", BY_STEPS)
def test_a_head_learns_and_predicts_what_it_does_on_the_processor(name: str) -> None:
    here, problem, expected = learned_on_the_processor(name)
    there, _ = train(name, OTHER, class_weights="balanced")
    for key, value in here.state.items():
        np.testing.assert_allclose(there.state[key], value, rtol=1e-5, atol=1e-6)
    assert [each.validation_accuracy for each in here.history] == [
        each.validation_accuracy for each in there.history
    ]
    losses = [[each.train_loss for each in head.history] for head in (here, there)]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)
    rows = np.arange(len(problem.table))
    logits = here.logits(problem.table, rows)
    assert np.array_equal(here.logits(problem.table, rows, OTHER), logits)
    again = refit(here, problem.table, problem.labels, rows, 3, OTHER)
    for key, value in expected.state.items():
        np.testing.assert_allclose(again.state[key], value, rtol=1e-5, atol=1e-6)


def test_two_trainings_are_the_same_bit_for_bit(room: int) -> None:
    first, second = train("lstm", OTHER)[0], train("lstm", OTHER)[0]
    for key, value in first.state.items():
        assert value.tobytes() == second.state[key].tobytes(), key


def test_a_range_test_sees_the_same_losses(room: int) -> None:
    problem = marker_problem()
    settings = make_settings("cnn", {})
    there = replace(problem, device=OTHER)
    ours = range_test("cnn", settings, there, 0, steps=30)
    expected = range_test("cnn", settings, problem, 0, steps=30)
    np.testing.assert_allclose(ours.losses, expected.losses, rtol=1e-4)


def test_a_loss_that_explodes_is_named_with_its_step(room: int) -> None:
    with pytest.raises(DivergedError, match=r"at step \d+ \(epoch 1\): lower learning_rate"):
        train(
            "mlp",
            OTHER,
            learning_rate=1e3,
            optimizer="sgd",
            clip=0,
            weight_decay=0,
            averaging=0,
            dense=(64, 64, 64),
            warmup=0,
        )


def test_a_vector_that_is_not_finite_is_named(room: int) -> None:
    problem = marker_problem()
    values = problem.table.values.copy()
    values[problem.table.offsets[problem.train[2]]] = np.nan
    table = FeatureTable(values, problem.table.offsets, TOKENS)
    sides = problem.train, problem.validation, ("a", "b", "c")
    settings = make_settings("cnn", {"epochs": 1})
    with pytest.raises(BadVectorError, match=f"text {problem.train[2]} of the table"):
        fit("cnn", settings, table, problem.labels, *sides, 0, device=OTHER)


def test_what_is_measured_there_is_what_is_measured_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(device_vectors, "MEASURED", 4)
    table = make_table([1, 7, 3, 3, 9], dtype="float32")
    rows = np.array([4, 1, 0])
    for most in (0, 2):
        ours = ResidentVectors(table, OTHER).statistics(rows, most)
        np.testing.assert_allclose(ours, statistics(table, rows, most), rtol=1e-12, atol=1e-12)


def test_vectors_are_moved_once_and_freed_with_their_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(device_vectors, "free_memory", lambda device: 1 << 40)
    table = make_table([2, 3])
    first = vectors_on(table, OTHER)
    assert isinstance(first, ResidentVectors)
    assert vectors_on(table, OTHER) is first
    gc.collect()  # tables of other tests
    kept = len(device_vectors._resident)
    del table
    gc.collect()
    assert len(device_vectors._resident) == kept - 1


def test_vectors_on_disk_that_may_not_be_written_are_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_vectors, "CHUNK", 64)
    expected = np.arange(300, dtype=np.float16).reshape(100, 3)
    expected.tofile(tmp_path / "values")
    mapped = np.memmap(tmp_path / "values", np.float16, "r", shape=(100, 3))
    found = moved(mapped, torch.device(CPU))
    assert found.dtype == torch.float16
    assert np.array_equal(found.numpy(), expected)


def test_streaming_stops_with_whoever_reads_it_and_passes_errors_on() -> None:
    table = make_table([2] * 50)
    asked: list[int] = []

    def parts() -> Iterator[np.ndarray]:
        for row in range(50):
            asked.append(row)
            yield np.array([row])

    taken = list(islice(StreamedVectors(table, OTHER).batches(parts(), 0), 2))
    assert [batch.rows.tolist() for batch in taken] == [[0], [1]]
    assert len(asked) <= 2 + device_vectors.AHEAD
    with pytest.raises(IndexError):
        list(StreamedVectors(table, OTHER).batches([np.array([99])], 0))


@pytest.mark.parametrize("directions", [1, 2])
def test_torchs_lstm_gives_the_states_and_gradients_of_ours(directions: int) -> None:
    torch.manual_seed(0)
    lstms = [torch.nn.LSTM(5, 4, batch_first=True) for _ in range(directions)]
    x = torch.randn(3, 6, 5, requires_grad=True)
    backwards = reversal(torch.tensor([[6], [2], [4]]), 6)
    pull = torch.randn(directions, 3, 6, 4)
    found = []
    for states in (unroll(lstms, x, backwards), torch.stack(by_torch(lstms, x, backwards))):
        parameters = [x, *(weight for lstm in lstms for weight in lstm.parameters())]
        slopes = torch.autograd.grad((states * pull).sum(), parameters)
        found.append([states.detach(), *slopes])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "more"),
    [
        *((name, {}) for name in BY_STEPS),
        ("cnn", {"padding": "valid", "batch_norm": True, "loss": "focal"}),
        ("cnn", {"pooling": "flatten", "max_vectors": 5, "loss": "hardest"}),
        ("lstm", {"layers": 2, "pooling": "last", "recurrent_dropout": 0.2}),
        ("attention", {"beside": "both", "optimizer": "rmsprop"}),
        ("cnn_lstm", {"form": "sequential", "bidirectional": True}),
    ],
)
def test_no_part_of_a_step_stays_on_the_processor(
    name: str, more: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device ``meta`` holds shapes alone, and refuses to compute with other devices."""
    monkeypatch.setattr(torch, "autocast", lambda *args, **named: nullcontext())
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda *args: False)
    problem = cluster_problem() if name == "mlp" else marker_problem()
    problem = replace(problem, device="meta")
    settings = make_settings(name, {"members": 2, "class_weights": "balanced", **more})
    head = head_type(name).build(settings, problem.table.width, problem.classes)
    trainer = Trainer(head, settings, problem, 0)  # type: ignore[arg-type]
    if not isinstance(trainer.optimizer, KerasRMSprop):  # the fused ones want a real device
        monkeypatch.setattr(trainer.optimizer, "step", lambda: None)
    trainer.head.train()
    rows = problem.train[:7], problem.train[7:8]
    for batch in ResidentVectors(problem.table, "meta").batches(rows, head.max_vectors):
        loss, norm, member_logits, labels = trainer._descend(batch)
        trainer._move()
        numbers = [loss, norm, member_logits, *_measured(member_logits, labels)]
        assert {each.device.type for each in numbers} == {"meta"}
    trainer.averaged.eval()
    assert trainer.averaged(batch.x, batch.mask).device.type == "meta"


@GPU
@pytest.mark.parametrize("name", BY_STEPS)
def test_a_gpu_repeats_itself_and_agrees_with_the_processor(name: str) -> None:
    quiet = {"precision": "float32", "input_dropout": 0.0, "dropout": 0.0}
    if "layer_dropout" in head_type(name).settings.model_fields:
        quiet["layer_dropout"] = 0.0
    here, problem = train(name, CPU, **quiet)
    there, again = (train(name, "cuda:0", **quiet)[0] for _ in range(2))
    for key, value in there.state.items():
        assert value.tobytes() == again.state[key].tobytes(), key
    losses = [[each.train_loss for each in head.history] for head in (here, there)]
    np.testing.assert_allclose(losses[1], losses[0], rtol=2e-2)
    rows = np.arange(len(problem.table))
    logits = there.logits(problem.table, rows), there.logits(problem.table, rows, "cuda:0")
    np.testing.assert_allclose(logits[1], logits[0], rtol=1e-4, atol=1e-4)
