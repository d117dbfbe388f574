"""Examine a ``HeadClassifier``: a head of the registry over arrays, by the causes of a run."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from features.tables import FeatureTables
from features.vectors.table import POOLED
from heads.problem import Problem
from heads.registry import check_layout, device_of, head_type, make_settings
from pipeline.doctor.case import Case
from pipeline.doctor.examination import examine
from pipeline.doctor.findings import Finding, Verdict
from pipeline.doctor.measuring.pooled import means, pooled_table

if TYPE_CHECKING:
    from heads.estimator import HeadClassifier


def examine_classifier(
    classifier: HeadClassifier, problem: Problem, seed: int, **options: Any
) -> Verdict:
    """Train the head of a classifier anew, by its settings, and say what is wrong with it.

    Args:
        classifier: it is not changed; whether it is fitted does not matter.
        problem: vectors, labels and sides. A head over pooled vectors gets the average of each
            text's sequence.
        seed: of the training.
        options: as for :func:`pipeline.doctor.examination.examine`.

    Raises:
        SettingError: there is no such head or setting, or it takes another layout.
        DivergedError: the loss became NaN or infinite.
    """
    verdict = examine(case_of_classifier(classifier, problem, seed), **options)
    then = verdict.then
    if then is not None:
        then = replace(then, findings=tuple(map(_with_settings, then.findings)))
    findings = tuple(map(_with_settings, verdict.findings))
    return replace(verdict, findings=findings, then=then)


def case_of_classifier(classifier: HeadClassifier, problem: Problem, seed: int) -> Case:
    """Return the case of a classifier, trained here. Arguments as above."""
    head = classifier.head
    settings = make_settings(head, classifier.settings or {})
    pooled, table = means(problem.table), problem.table
    if table.layout != POOLED and head_type(head).layouts[0] == POOLED:
        table = pooled_table(pooled)
    check_layout(head, table.layout)
    started = time.perf_counter()
    case = Case(
        head=head,
        settings=settings,
        tables=FeatureTables((table,)),
        labels=problem.labels,
        classes=problem.names or tuple(map(str, range(problem.classes))),
        train=problem.train,
        validation=problem.validation,
        test=problem.validation[:0],
        logits=np.zeros((len(problem.validation), problem.classes), np.float32),
        seed=seed,
        device=device_of(head, classifier.device),
        pooled=pooled,
    ).with_own_head()
    assert case.trained is not None
    seconds = time.perf_counter() - started
    return replace(case, settings=case.trained.settings, seconds=seconds)


def _with_settings(finding: Finding) -> Finding:
    """Return a finding whose remedy says what to give to ``HeadClassifier``.

    A run has a command for that.
    """
    remedy = finding.remedy
    given = [repr(remedy.head)] if remedy.head else []
    if remedy.settings:
        given.append(f"settings={dict(remedy.settings)}")
    if not given:
        return finding
    words = f"{remedy.words}: HeadClassifier({', '.join(given)})"
    return replace(finding, remedy=replace(remedy, words=words))
