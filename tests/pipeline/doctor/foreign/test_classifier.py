"""A HeadClassifier is examined as a run is: by its settings, anew, over arrays."""

from __future__ import annotations

import numpy as np
import pytest

from features.errors import SettingError
from heads import HeadClassifier
from manyheads import examine
from pipeline.doctor.foreign.classifier import case_of_classifier
from tests.support.tables import cluster_problem, marker_problem

SLOW = {"learning_rate": 1e-5, "schedule": "constant", "warmup": 0, "averaging": 0}


def test_a_step_that_is_too_small_is_proven_and_the_settings_are_told() -> None:
    problem = marker_problem(texts=360)
    settings = {**SLOW, "epochs": 20, "min_steps": 0}
    found = examine(HeadClassifier("cnn", settings=settings), problem.table, problem.labels)
    leading = found.verdict.leading
    assert leading is not None
    assert (leading.cause, leading.certainty) == ("step_too_small", "proven")
    rate = float(dict(leading.remedy.settings)["learning_rate"])
    (_, told) = leading.remedy.words.split(": ", 1)
    typed = eval(told, {"HeadClassifier": HeadClassifier})  # it is to be typed as it is
    assert typed.head == "cnn"
    assert typed.settings == {**settings, "learning_rate": rate}
    assert told in found.to_text()
    assert found.name == "HeadClassifier('cnn')"


@pytest.mark.parametrize("head", ["logistic", "knn", "mlp"])
def test_a_sound_head_is_left_alone_fitted_or_not(head: str) -> None:
    problem = cluster_problem(texts=240)
    names = np.array(["joy", "anger", "fear"])[problem.labels]
    classifier = HeadClassifier(head)
    first = examine(classifier, problem.table.values, names)
    assert first.verdict.state == "healthy"
    classifier.fit(problem.table.values, names)
    again = examine(classifier, problem.table.values, names)
    assert again.verdict.summary == first.verdict.summary


def test_a_head_over_pooled_vectors_gets_the_average_of_a_sequence() -> None:
    problem = marker_problem()
    assert case_of_classifier(HeadClassifier("mlp"), problem, 0).tables.layout == "pooled"
    with pytest.raises(SettingError, match="takes"):
        examine(HeadClassifier("cnn"), cluster_problem().table.values, cluster_problem().labels)
