"""Changes of labels: what leaving out suspected ones leaves out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.doctor.case import Case
from pipeline.doctor.changes.labels import leave_out_suspects, without_suspects
from tests.support.doctor.cases import trained_case
from tests.support.tables import Problem, cluster_problem


def noisy_case(share: float = 0.3) -> tuple[Case, np.ndarray]:
    """Return a case some of whose training labels are wrong, and which labels are."""
    problem: Problem = cluster_problem()
    random = np.random.default_rng(0)
    wrong = np.zeros(len(problem.labels), bool)
    wrong[problem.train] = random.random(len(problem.train)) < share
    moved = problem.labels + random.integers(1, problem.classes, len(wrong))
    labels = np.where(wrong, moved % problem.classes, problem.labels)
    return trained_case(replace(problem, labels=labels), "logistic"), wrong


def test_suspected_labels_are_those_that_are_wrong() -> None:
    case, wrong = noisy_case()
    kept = leave_out_suspects(case).train
    gone = np.setdiff1d(case.train, kept)
    assert wrong[gone].mean() > 0.9
    assert wrong[kept].mean() < 0.05


def test_validation_labels_do_not_say_what_training_leaves_out() -> None:
    case, _ = noisy_case()
    others = case.labels.copy()
    others[case.validation] = np.random.default_rng(1).permutation(others[case.validation])
    kept = leave_out_suspects(replace(case, labels=others)).train
    assert kept.tolist() == leave_out_suspects(case).train.tolist()


def test_leaving_them_out_is_compared_with_leaving_out_as_many_others() -> None:
    trial = without_suspects(noisy_case(0.4)[0])
    assert len(trial.before) == len(trial.after) > 0
    assert trial.after.mean() >= trial.before.mean()


def test_sound_labels_leave_nothing_to_compare() -> None:
    assert not len(without_suspects(noisy_case(0.0)[0]).before)
