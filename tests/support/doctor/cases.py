"""Cases for the doctor: small trainings in memory, and measurements of a healthy one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from features.tables import as_tables
from features.vectors.table import POOLED
from heads.problem import Problem
from heads.registry import make_settings
from heads.trained import fit
from pipeline.doctor.case import Case
from pipeline.doctor.cause import Suspected, suspicions
from pipeline.doctor.causes.registry import CAUSES
from pipeline.doctor.measurements import (
    Labels,
    Learning,
    Measurements,
    Reference,
    References,
    Settings,
    Steps,
)


def trained_case(problem: Problem, head: str, **settings: object) -> Case:
    """Train a head on a problem and return the case of it."""
    classes = tuple(f"class {number}" for number in range(problem.classes))
    made = make_settings(head, settings)
    sides = problem.train, problem.validation
    trained = fit(head, made, problem.table, problem.labels, *sides, classes, seed=0)
    return Case(
        head=head,
        settings=trained.settings,
        tables=as_tables(problem.table),
        labels=problem.labels,
        classes=classes,
        train=problem.train,
        validation=problem.validation,
        test=problem.validation[:0],
        logits=trained.logits(problem.table, problem.validation),
        trained=trained,
        history=trained.history,
        best_epoch=trained.best_epoch,
        pooled=problem.table.values if problem.table.layout == POOLED else None,
    )


def healthy(case: Case | None = None, **groups: Any) -> Measurements:
    """Return the measurements of a training with which nothing is wrong, with some changed."""
    learning = Learning(
        texts=200,
        accuracy=0.8,
        macro_f1=0.8,
        loss=0.5,
        majority=0.34,
        label_entropy=float(np.log(3)),
        effective_classes=3.0,
        effective_labels=3.0,
        recalls=(0.8, 0.8, 0.8),
        predicted_shares=(0.33, 0.33, 0.34),
        probability_entropy=0.5,
        logit_spread=2.0,
        train_texts=600,
        train_accuracy=0.9,
        train_loss=0.3,
        best_epoch=12,
    )
    values = {} if case is None else case.settings.model_dump(mode="json")
    made = Measurements(
        settings=Settings(
            case.head if case else "cnn", "tokens", values or {"learning_rate": 2e-3}
        ),
        labels=Labels(("joy", "anger", "fear"), (200, 200, 200), (66, 67, 67), 600, 200),
        learning=learning,
        steps=Steps(count=200, per_epoch=10, update_ratio=-3.0, clipped_share=0.1),
        references=References((reference("logistic", 0.79, -0.01),)),
    )
    return replace(made, **groups)


def reference(name: str, accuracy: float, ahead: float, half: float = 0.03) -> Reference:
    """Return a reference with its accuracy, what it is ahead by, and half its interval."""
    return Reference(name, accuracy, ahead, (ahead - half, ahead + half), accuracy)


def suspected(measured: Measurements) -> list[Suspected]:
    """Return what all causes together suspect."""
    return suspicions(measured, CAUSES)
