"""Training: it learns, repeats itself bit for bit, stops, keeps the best and names failure."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from features.errors import BadVectorError, DivergedError, FaultError, SettingError
from features.vectors.table import POOLED, FeatureTable
from heads.architectures.cnn import CnnHead, CnnSettings
from heads.problem import EpochRecord, Problem
from heads.registry import HEADS, head_type, make_settings
from heads.trained import TrainedHead, fit
from heads.training import trainer as training
from heads.training.batches import batches, gather
from heads.training.inference import compute_logits
from heads.training.trainer import fit_by_steps
from tests.support.tables import cluster_problem, make_table, marker_problem

CLASSES = ("a", "b", "c")


def train(name: str, seed: int = 0, **overrides: object) -> tuple[TrainedHead, Problem]:
    pooled = head_type(name).layouts == (POOLED,)
    problem = cluster_problem() if pooled else marker_problem()
    settings = make_settings(name, overrides)
    trained = fit(
        name,
        settings,
        problem.table,
        problem.labels,
        problem.train,
        problem.validation,
        CLASSES,
        seed,
    )
    return trained, problem


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ["cnn", "lstm", "cnn_lstm"])
def test_a_learnable_problem_is_learnt(name: str, precision: str) -> None:
    # Without the last training, which learns the validation texts too.
    small = {} if name == "cnn" else {"units": 32}
    trained, problem = train(name, precision=precision, batch_size=16, refit=False, **small)
    predicted = trained.logits(problem.table, problem.validation).argmax(axis=1)
    accuracy = np.mean(predicted == problem.labels[problem.validation])
    print(f"{name} {precision}: {accuracy:.3f}")
    assert accuracy > 0.95


def test_logistic_learns_too() -> None:
    trained, problem = train("logistic")
    predicted = trained.logits(problem.table, problem.validation).argmax(axis=1)
    assert np.mean(predicted == problem.labels[problem.validation]) > 0.95


@pytest.mark.parametrize("name", HEADS)
def test_same_seed_same_weights_bit_for_bit(name: str) -> None:
    overrides: dict[str, object] = {} if name in ("logistic", "knn") else {"epochs": 3}
    first, _ = train(name, seed=5, **overrides)
    torch.manual_seed(99)  # what happened before must not matter
    torch.rand(7)
    second, _ = train(name, seed=5, **overrides)
    for key, value in first.state.items():
        assert value.tobytes() == second.state[key].tobytes(), key
    same = [(r.train_loss, r.validation_loss, r.gradient_norm) for r in first.history]
    assert same == [(r.train_loss, r.validation_loss, r.gradient_norm) for r in second.history]


def test_the_seed_reaches_weights_order_and_dropout() -> None:
    first, _ = train("cnn", seed=1, epochs=1)
    second, _ = train("cnn", seed=2, epochs=1)
    assert not np.array_equal(first.state["output.weight"], second.state["output.weight"])


@pytest.mark.parametrize("name", ["logistic", "cnn", "lstm"])
def test_global_randomness_is_left_alone(name: str) -> None:
    torch.manual_seed(4)
    np.random.seed(4)  # noqa: NPY002 - the global generator is what this test watches
    random.seed(4)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    trained, problem = train(name, **({} if name == "logistic" else {"epochs": 2}))
    trained.logits(problem.table, problem.validation)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert random.getstate() == before[2]


def test_what_a_callback_draws_does_not_matter() -> None:
    problem = marker_problem()
    settings = CnnSettings(epochs=3)

    def draw(_: EpochRecord) -> None:
        torch.rand(3)

    quiet = fit_by_steps(CnnHead, settings, problem, 0)
    noisy = fit_by_steps(CnnHead, settings, problem, 0, draw)
    for key, value in quiet.state.items():
        assert value.tobytes() == noisy.state[key].tobytes(), key


def test_the_best_weights_are_restored_and_training_stops() -> None:
    # A step size this large makes validation swing, so that the last epoch is not the best.
    seen: list[EpochRecord] = []
    problem = marker_problem()
    # In float32 the validation scores of an epoch are those of the finished head.
    swinging = {"learning_rate": 0.3, "averaging": 0, "patience": 2, "epochs": 40}
    settings = make_settings("cnn", {**swinging, "precision": "float32"})
    trained = fit(
        "cnn",
        settings,
        problem.table,
        problem.labels,
        problem.train,
        problem.validation,
        CLASSES,
        0,
        seen.append,
    )
    assert trained.history == tuple(seen)
    assert [record.epoch for record in seen] == list(range(1, len(seen) + 1))
    assert len(seen) == trained.best_epoch + 2
    best = trained.history[trained.best_epoch - 1]
    keys = [(r.validation_accuracy, -r.validation_loss) for r in seen]
    assert keys.index(max(keys)) + 1 == trained.best_epoch
    logits = trained.logits(problem.table, problem.validation)
    labels = problem.labels[problem.validation]
    assert np.mean(logits.argmax(axis=1) == labels) == best.validation_accuracy
    loss = torch.nn.functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels))
    assert float(loss) == pytest.approx(best.validation_loss, abs=1e-5)


def test_epochs_are_compared_in_the_precision_of_the_training() -> None:
    problem = marker_problem()
    settings = make_settings("cnn", {"epochs": 1, "refit": False, "precision": "bfloat16"})
    trained = training.start(CnnHead, settings, problem, 0)
    record = trained.epoch(1)
    labels = torch.from_numpy(problem.labels[problem.validation])
    losses = {}
    for bfloat16 in (False, True):
        logits = compute_logits(
            trained.averaged, problem.table, problem.validation, bfloat16=bfloat16
        )
        loss = torch.nn.functional.cross_entropy(torch.from_numpy(logits), labels)
        losses[bfloat16] = float(loss)
    assert record.validation_loss == pytest.approx(losses[True], abs=1e-6)
    assert losses[True] == pytest.approx(losses[False], abs=0.02)
    assert losses[True] != losses[False]


def test_averaged_weights_are_kept() -> None:
    settings = CnnSettings(epochs=1, averaging=0.9)
    problem = marker_problem()
    trainer = training.Trainer(CnnHead(settings, 6, 3), settings, problem, 0)
    start = trainer.averaged.output.weight.detach().clone()
    batch = batches(problem.table, problem.train, 64)
    path = []
    for _, each in batch:
        trainer.step(each, 1)
        path.append(trainer.head.output.weight.detach().clone())
    expected = start
    for done, weights in enumerate(path, start=1):
        decay = min(0.9, (1 + done) / (10 + done))
        expected = decay * expected + (1 - decay) * weights
    largest = float((trainer.averaged.output.weight - expected).detach().abs().max())
    print(f"largest difference: {largest:.1e}")
    assert largest < 1e-6


@pytest.mark.parametrize("name", ["cnn", "lstm"])
def test_divergence_is_named(name: str) -> None:
    problem = marker_problem(60)
    table = FeatureTable(problem.table.values.copy(), problem.table.offsets, "tokens")
    settings = make_settings(
        name, {"learning_rate": 1000, "clip": 0, "epochs": 200, "warmup": 0}
    )

    def poison(record: EpochRecord) -> None:
        table.values[:] = np.nan

    poisoned = (table, problem.labels, problem.train, problem.validation, CLASSES, 0, poison)
    with pytest.raises(DivergedError, match=r"loss must stay finite, but is nan.*epoch 2"):
        fit(name, settings, *poisoned)
    assert issubclass(DivergedError, FaultError)


def test_divergence_says_what_to_set() -> None:
    problem = marker_problem()
    values = problem.table.values.astype(np.float32)
    labels = problem.labels
    table = FeatureTable(values, problem.table.offsets, "tokens")
    settings = make_settings(
        "cnn",
        {"learning_rate": 1000, "averaging": 0, "clip": 0, "patience": 500, "epochs": 500},
    )
    diverging = Problem(table, labels, problem.train, problem.validation, 3)
    trainer = training.Trainer(CnnHead(settings, 6, 3), settings, diverging, 0)
    with torch.no_grad():
        trainer.head.output.weight.fill_(3e38)
    with pytest.raises(
        DivergedError, match=r"lower learning_rate, now 1000, .*learning_rate=100"
    ):
        trainer.epoch(1)


def test_vectors_that_are_not_finite_are_named() -> None:
    problem = marker_problem(60)
    values = problem.table.values.copy()
    row = int(problem.train[3])
    values[problem.table.offsets[row]] = np.inf
    table = FeatureTable(values, problem.table.offsets, "tokens")
    bad = Problem(table, problem.labels, problem.train, problem.validation, 3)
    with pytest.raises(BadVectorError, match=f"text {row} of the table holds NaN or infinity"):
        fit_by_steps(CnnHead, CnnSettings(), bad, 0)


def test_a_layout_without_time_is_refused() -> None:
    problem = cluster_problem(40)
    assert problem.table.layout == POOLED
    with pytest.raises(SettingError, match="time axis"):
        fit(
            "cnn",
            CnnSettings(),
            problem.table,
            problem.labels,
            problem.train,
            problem.validation,
            CLASSES,
            0,
        )


def test_gradients_are_cut() -> None:
    problem = marker_problem()
    settings = CnnSettings(clip=1e-3, precision="float32")
    trainer = training.Trainer(CnnHead(settings, 6, 3), settings, problem, 0)
    step = trainer.step(gather(problem.table, problem.train[:32]), 1)
    assert step.gradient_norm > 1e-3
    grads = [parameter.grad.flatten() for parameter in trainer.head.parameters()]
    assert float(torch.cat(grads).norm()) == pytest.approx(1e-3, rel=1e-3)


def test_class_weights_raise_the_recall_of_a_rare_class() -> None:
    source = random_overlap()
    plain = fit_by_steps(CnnHead, CnnSettings(epochs=5), source, 0)
    balanced = fit_by_steps(CnnHead, CnnSettings(epochs=5, class_weights="balanced"), source, 0)

    def rare_share(state: dict[str, np.ndarray]) -> float:
        head = CnnHead(CnnSettings(), 6, 2)
        head.load_state_dict({key: torch.from_numpy(value) for key, value in state.items()})
        logits = compute_logits(head, source.table, source.validation)
        return float(np.mean(logits.argmax(axis=1) == 1))

    assert rare_share(balanced.state) > rare_share(plain.state)


def random_overlap() -> Problem:
    """One text in ten is of class 1, hardly different from the others."""
    table = make_table(np.full(200, 3))
    labels = (np.arange(200) % 10 == 0).astype(np.int64)
    values = table.values.copy()
    values[np.repeat(labels, 3) == 1, 0] += 1.0
    rows = np.arange(200)
    shifted = FeatureTable(values, table.offsets, table.layout)
    return Problem(shifted, labels, rows[:150], rows[150:], 2)
