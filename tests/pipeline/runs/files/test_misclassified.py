"""The misclassified texts of a run and their neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from features.corpus.corpus import Corpus
from pipeline.evaluation.evaluation import Evaluation
from pipeline.runs.files import misclassified
from pipeline.runs.files.misclassified import error_list


def test_the_most_confident_errors_get_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = Corpus(tuple(f"text {i}" for i in range(6)), ("a", "b", "a", "a", "b", "a"))
    vectors = np.eye(6, 4, dtype=np.float32) + 0.1
    shares = np.array([[0.2, 0.8], [0.9, 0.1], [0.4, 0.6], [0.7, 0.3]], np.float32)
    test = Evaluation("test", np.arange(2, 6), np.array([0, 1, 0, 0]), shares, shares)
    errors = error_list(corpus, np.array([0, 1]), test, ("a", "b"), vectors)
    assert [each.row for each in errors] == [4, 3, 5]
    assert [len(each.neighbors) for each in errors] == [2, 2, 2]
    monkeypatch.setattr(misclassified, "WITH_NEIGHBORS", 1)
    fewer = error_list(corpus, np.array([0, 1]), test, ("a", "b"), vectors)
    assert fewer[0] == errors[0]
    assert [(each.row, each.neighbors) for each in fewer[1:]] == [(3, ()), (5, ())]
