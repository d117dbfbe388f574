"""Parts of the training texts that are held out in place of the validation side."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np

from pipeline.doctor.measuring.parts import Parts, held_out_parts
from tests.support.doctor.cases import trained_case
from tests.support.tables import cluster_problem


def test_each_part_is_held_out_once_and_the_validation_texts_are_learned_from() -> None:
    case = trained_case(cluster_problem(400), "logistic")
    parts = list(held_out_parts(case, 3))
    assert len(parts) == 3
    for part in parts:
        assert np.isin(part.validation, case.train).all()
        assert np.isin(case.validation, part.train).all()
        assert not np.isin(part.train, part.validation).any()
        assert abs(len(part.validation) - len(case.validation)) <= 1
        assert len(part.train) + len(part.validation) == len(case.train) + len(case.validation)
    for one, other in combinations(parts, 2):
        assert not np.isin(one.validation, other.validation).any()


def test_a_part_is_trained_once() -> None:
    parts = Parts(trained_case(cluster_problem(400), "logistic"), most=1)
    assert parts.fresh(0)
    part = parts.trained(0)
    assert part is not None
    assert not parts.fresh(0)
    assert parts.trained(0) is part
    assert len(part.logits) == len(part.validation)
    ((same, logits),) = parts.with_settings(part.settings)
    assert same is part
    assert np.array_equal(logits, part.logits)


def test_code_of_the_users_own_has_no_parts() -> None:
    case = trained_case(cluster_problem(400), "logistic")
    assert Parts(replace(case, head="")).count == 0
