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
from pipeline.doctor.findings import Finding, Remedy, Verdict
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
    then, leading = verdict.then, verdict.leading
    if then is not None and leading is not None:
        after = tuple(_told(each, classifier, leading.remedy) for each in then.findings)
        then = replace(then, findings=after)
    findings = tuple(_told(each, classifier) for each in verdict.findings)
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


def _told(
    finding: Finding, classifier: HeadClassifier, before: Remedy | None = None
) -> Finding:
    """Return a finding whose remedy says which ``HeadClassifier`` to make; a run has a command.

    Args:
        finding: of the examination.
        classifier: as it was given; its other settings stay.
        before: the remedy that is in place already.
    """
    remedy = finding.remedy
    if not (remedy.head or remedy.settings):
        return finding
    head, given = classifier.head, dict(classifier.settings or {})
    for each in (before, remedy):
        if each is None:
            continue
        if each.head and each.head != head:  # another head with its own defaults
            head, given = each.head, {}
        given |= {name: _value(text) for name, text in each.settings}
    settings = f", settings={given}" if given else ""
    words = f"{remedy.words}: HeadClassifier({head!r}{settings})"
    return replace(finding, remedy=replace(remedy, words=words))


def _value(text: str) -> object:
    """Return a setting as Python has it: 0.004 of ``0.004``; what is no number stays text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)
