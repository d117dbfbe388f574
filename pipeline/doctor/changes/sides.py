"""Changes of sides: texts dealt anew, and scores without those that have a copy in training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.doctor.case import Case
from pipeline.doctor.counterfactual import Trial
from pipeline.doctor.measuring.sides import copied_rows


def without_copies(case: Case) -> Trial:
    """Compare validation texts that have a near-copy in training with those that have none."""
    copied = copied_rows(case)
    if copied is None:
        return Trial(case.right[:0], case.right[:0])
    return Trial(case.right[copied], case.right[~copied], "accuracy", paired=False)


def dealt_anew(case: Case) -> Case:
    """Return the case with training and validation texts dealt anew, near-copies together.

    Classes that training does not have stay out: a head cannot be built for them.
    """
    rows = np.sort(np.concatenate([case.train, case.validation]))
    known = rows[case.labels[rows] < len(case.classes)]
    groups = known if case.duplicates is None else case.duplicates.clusters[known]
    _, ids = np.unique(groups, return_inverse=True)
    random = np.random.default_rng(case.seed)
    order = random.permutation(int(ids.max()) + 1)
    share = len(case.validation) / len(rows)
    sizes = np.bincount(ids)[order]
    held = np.isin(ids, order[np.cumsum(sizes) <= share * len(known)])
    corpus = None if case.corpus is None else replace(case.corpus, splits=None)
    return replace(case, train=known[~held], validation=known[held], corpus=corpus)
