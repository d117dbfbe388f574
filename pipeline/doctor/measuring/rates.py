"""M15 and M16: what the run's other seeds reached, and the range test of step sizes."""

from __future__ import annotations

from pipeline.doctor.case import Case
from pipeline.doctor.measurements import Noise, RateRange


def measure_rates(case: Case) -> RateRange | None:
    """Return what a range test says; None of heads without steps or without vectors."""
    from heads.learning_rate import range_test  # imports torch
    from heads.problem import Problem
    from heads.settings import TrainingSettings

    table = case.tables.vectors
    if table is None or not case.head or not isinstance(case.settings, TrainingSettings):
        return None
    sides = case.train, case.validation
    problem = Problem(table, case.labels, *sides, len(case.classes), case.classes, case.device)
    found = range_test(case.head, case.settings, problem, case.seed)
    return RateRange(found.suggestion, found.lowest_loss_at, found.diverged_at)


def measure_seeds(case: Case) -> Noise | None:
    """Return the accuracies of the run's other seeds, which cost nothing; None without any."""
    if not case.other_seeds:
        return None
    return Noise((float(case.right.mean()), *(accuracy for _, accuracy in case.other_seeds)))
