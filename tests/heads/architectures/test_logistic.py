"""The logistic head against scikit-learn, and its choice of C."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss as sklearn_log_loss

from features.vectors.table import POOLED, FeatureTable
from heads.architectures import logistic_objective
from heads.architectures.logistic import LogisticSettings, fit_logistic, refit_logistic
from heads.architectures.logistic_objective import Objective
from heads.problem import EpochRecord, Problem
from tests.support.tables import cluster_problem


def reference(problem: Problem, c: float) -> LogisticRegression:
    x = problem.table.values[problem.train].astype(np.float64)
    model = LogisticRegression(C=c, tol=1e-10, max_iter=20_000)
    return model.fit(x, problem.labels[problem.train])


@pytest.mark.parametrize("block", [2**21, 700])
@pytest.mark.parametrize("c", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("classes", [2, 5])
def test_optimum_is_that_of_scikit_learn(
    c: float, classes: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether all texts are taken at once, or in blocks, the last of them smaller."""
    monkeypatch.setattr(logistic_objective, "BLOCK_BYTES", block)
    problem = cluster_problem(texts=400, width=12, classes=classes, spread=3.0)
    settings = LogisticSettings(c=(c,), standardize=False, tolerance=1e-9)
    fitted = fit_logistic(settings, problem, seed=0)
    # Of two classes scikit-learn keeps the difference, under half the penalty of both rows.
    expected = reference(problem, 2 * c if classes == 2 else c)
    weights, bias = fitted.state["linear.weight"], fitted.state["linear.bias"]
    if classes == 2:
        weights, bias = weights[1:] - weights[:1], bias[1:] - bias[:1]
    else:
        bias = bias - bias.mean() + expected.intercept_.mean()
    difference = max(
        np.abs(weights - expected.coef_).max(), np.abs(bias - expected.intercept_).max()
    )
    x = problem.table.values.astype(np.float64)
    logits = (
        x @ fitted.state["linear.weight"].T.astype(np.float64) + fitted.state["linear.bias"]
    )
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    distance = np.abs(probabilities - expected.predict_proba(x)).max()
    print(f"largest difference: weights {difference:.1e}, probabilities {distance:.1e}")
    assert difference < 2e-5 * max(1.0, np.abs(expected.coef_).max())
    assert distance < 1e-5


def test_gradient_vanishes_at_the_optimum() -> None:
    problem = cluster_problem(texts=300, width=8, spread=3.0)
    x = torch.from_numpy(problem.table.values[problem.train].astype(np.float64))
    y = torch.from_numpy(problem.labels[problem.train])
    x = x - x.mean(dim=0)
    objective = Objective(x, y, problem.classes)
    optimum = objective.minimize(1.0, objective.start(), tolerance=1e-10, max_iterations=500)
    weights = optimum.weights.clone().requires_grad_()
    bias = optimum.bias.clone().requires_grad_()
    loss = torch.nn.functional.cross_entropy(x @ weights.T + bias, y)
    loss = loss + weights.square().sum() / (2 * len(y))
    loss.backward()
    norm = float(torch.cat([weights.grad.flatten(), bias.grad]).norm())
    print(f"gradient norm by hand {norm:.1e}, reported {optimum.gradient_norm:.1e}")
    # The line search compares losses of about 1: a gradient below the root of their precision
    # moves none of them. Over 18 such problems it ended between 1e-9 and 5e-8, whatever the
    # tolerance below 1e-9 and the number of threads.
    assert norm < 4 * np.sqrt(np.finfo(np.float64).eps)
    assert optimum.gradient_norm == pytest.approx(norm, rel=0.1, abs=1e-9)
    assert optimum.loss == pytest.approx(loss.item(), abs=1e-12)


@pytest.mark.parametrize("standardize", [False, True])
def test_a_refit_that_begins_near_the_optimum_ends_there_too(standardize: bool) -> None:
    problem = cluster_problem(texts=300, width=8, spread=3.0)
    settings = LogisticSettings(c=(30.0,), standardize=standardize, tolerance=1e-8)
    fitted = fit_logistic(settings, problem, seed=0)
    every = np.concatenate([problem.train, problem.validation])
    whole = replace(problem, train=every, validation=every[:0])
    best = fitted.history[0]
    cold = refit_logistic(settings, whole, 0, best)
    warm = refit_logistic(settings, replace(whole, near=fitted.state), 0, best)
    for name, value in cold.items():
        assert np.abs(warm[name] - value).max() < 1e-4 * max(1.0, np.abs(value).max()), name
    same = refit_logistic(settings, replace(problem, near=fitted.state), 0, best)
    assert np.allclose(same["linear.weight"], fitted.state["linear.weight"], atol=1e-5)


def test_standardising_is_the_fit_of_standardised_vectors() -> None:
    problem = cluster_problem(texts=300, width=8, spread=3.0)
    stretched = (problem.table.values * np.logspace(-2, 2, 8) + 3).astype(np.float32)
    table = FeatureTable(stretched, problem.table.offsets, POOLED)
    skewed = Problem(table, problem.labels, problem.train, problem.validation, problem.classes)
    settings = LogisticSettings(c=(0.1,), standardize=True, tolerance=1e-9)
    one = fit_logistic(settings, problem, seed=0)
    two = fit_logistic(settings, skewed, seed=0)
    difference = abs(one.history[0].validation_loss - two.history[0].validation_loss)
    print(f"largest difference of the loss under stretching: {difference:.1e}")
    assert difference < 1e-5


def test_history_holds_one_record_a_value_and_the_best_is_kept() -> None:
    problem = cluster_problem(texts=200, spread=4.0)
    seen: list[EpochRecord] = []
    settings = LogisticSettings(c=(10.0, 1e-4, 0.1, 1e-2), patience=10)
    fitted = fit_logistic(settings, problem, seed=0, on_epoch=seen.append)
    assert [record.value for record in fitted.history] == [1e-4, 1e-2, 0.1, 10.0]
    assert tuple(seen) == fitted.history
    losses = [record.validation_loss for record in fitted.history]
    assert fitted.best_epoch == losses.index(min(losses)) + 1
    x = problem.table.values[problem.validation]
    logits = x @ fitted.state["linear.weight"].T + fitted.state["linear.bias"]
    labels = problem.labels[problem.validation]
    best = fitted.history[fitted.best_epoch - 1]
    assert np.mean(logits.argmax(axis=1) == labels) == best.validation_accuracy
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert sklearn_log_loss(labels, probabilities) == pytest.approx(
        best.validation_loss, abs=1e-5
    )


def test_the_walk_stops_when_larger_values_do_not_help() -> None:
    problem = cluster_problem(texts=200, spread=4.0)
    values = tuple(float(value) for value in np.logspace(-6, 6, 30))
    fitted = fit_logistic(LogisticSettings(c=values, patience=2), problem, seed=0)
    assert len(fitted.history) == min(30, fitted.best_epoch + 2)
    assert len(fitted.history) < 30


def test_a_constant_feature_does_no_harm() -> None:
    problem = cluster_problem(texts=120)
    values = problem.table.values.copy()
    values[:, 2] = 7.0
    table = FeatureTable(values, problem.table.offsets, POOLED)
    fitted = fit_logistic(
        LogisticSettings(),
        Problem(table, problem.labels, problem.train, problem.validation, problem.classes),
        seed=0,
    )
    assert all(np.isfinite(value).all() for value in fitted.state.values())
    assert max(record.validation_accuracy for record in fitted.history) > 0.95


def test_a_class_that_training_lacks_does_no_harm() -> None:
    problem = cluster_problem(texts=120)
    wider = Problem(
        problem.table, problem.labels, problem.train, problem.validation, problem.classes + 1
    )
    fitted = fit_logistic(LogisticSettings(), wider, seed=0)
    assert fitted.state["linear.weight"].shape == (problem.classes + 1, problem.table.width)
    assert max(record.validation_accuracy for record in fitted.history) > 0.95


def test_where_no_validation_label_is_known_the_best_accuracy_is_first() -> None:
    problem = cluster_problem()
    labels = problem.labels.copy()
    labels[problem.validation] = problem.classes  # one that training lacks
    fitted = fit_logistic(LogisticSettings(patience=2), replace(problem, labels=labels), 0)
    assert (fitted.best_epoch, len(fitted.history)) == (1, 3)
    assert np.abs(fitted.state["linear.weight"]).max() > 0, "not those before it learned"
