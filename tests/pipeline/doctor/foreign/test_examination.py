"""Modules and estimators of the user's own: each fault is named, and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from features.errors import ArrayError, ModuleError
from features.vectors.table import FeatureTable
from heads.evaluation.metrics import macro_f1
from heads.examination.learning import Loop
from manyheads import examine
from pipeline.doctor.foreign import accuracy
from pipeline.doctor.foreign.case import module_case
from pipeline.doctor.foreign.counterfactual import ChangedLoop
from pipeline.doctor.proving.judgement import LIKELIHOOD, Judgement
from pipeline.doctor.telling import verdict_text
from tests.support.doctor import foreign
from tests.support.tables import WIDTH, cluster_problem, marker_problem

REPOSITORY = Path(__file__).resolve().parents[4]
QUICK: dict[str, Any] = {"epochs": 4, "learning_rate": 1e-2, "batch_size": 32}


def cause_of(kind: Any, prove: bool = True) -> str | None:
    problem = marker_problem(texts=360)
    found = examine(kind, problem.table, problem.labels, prove=prove, **QUICK).verdict.leading
    return None if found is None else f"{found.cause}, {found.certainty}"


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        (foreign.LogSoftmax, None),
        (foreign.SigmoidOfSoftmax, "output_squashed, proven"),
        (foreign.CutOff, "gradient_fault, measured"),
        (foreign.Frozen, "gradient_fault, measured"),
        (foreign.DropsAlways, "batch_dependence, measured"),
        (foreign.DropsMuch, "over_regularised, proven"),
    ],
)
def test_each_fault_is_named(kind: Any, cause: str | None) -> None:
    assert cause_of(kind) == cause


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        (foreign.MeanOf, None),
        (foreign.Softmax, "output_squashed"),
        (foreign.ReadsPadding, "batch_dependence"),
        (foreign.MixesTexts, "batch_dependence"),
        (foreign.Constant, "gradient_fault"),
    ],
)
def test_measuring_alone_names_it_too_and_nothing_else(kind: Any, cause: str | None) -> None:
    problem = marker_problem(texts=360)
    found = examine(kind, problem.table, problem.labels, prove=False, **QUICK).verdict
    assert [one.cause for one in found.findings] == ([] if cause is None else [cause])


def test_what_a_squashed_output_costs_is_told_beside_the_proof() -> None:
    problem = marker_problem(texts=360)
    found = examine(foreign.Softmax, problem.table, problem.labels, **QUICK).verdict.leading
    assert found is not None
    assert found.certainty == "proven"
    assert [one.measure for one in found.tried] == [
        "log likelihood of a training text",
        "accuracy",
    ]
    assert "accuracy" in found.explanation


def test_a_cost_that_few_texts_show_by_probability_alone_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judged = Judgement(-1.59, -1.45, 0.04, (0.03, 0.25), "confirmed", 0.0, LIKELIHOOD)
    monkeypatch.setattr(accuracy, "judge", lambda trials, missing: (judged,))
    problem = marker_problem(texts=360)
    found = examine(foreign.Softmax, problem.table, problem.labels, **QUICK).verdict.leading
    assert found is not None
    assert f"less likely: {LIKELIHOOD} -1.59 -> -1.45 (+0.03 to +0.25)" in found.explanation
    assert found.tried[-1].measure == LIKELIHOOD


def test_what_else_is_wrong_is_told_with_the_logits_in_place() -> None:
    problem = marker_problem(texts=360)
    found = examine(foreign.Softmax, problem.table, problem.labels, **QUICK).verdict
    assert found.then is not None
    assert found.then.state == "healthy"
    assert "nothing more to mend" in verdict_text(found)


def test_one_epoch_is_too_few_and_no_matter_of_the_step_size() -> None:
    problem = marker_problem(texts=360)
    loop = {"epochs": 1, "learning_rate": 1e-3}
    found = examine(foreign.MeanOf, problem.table, problem.labels, **loop).verdict.leading
    assert found is not None
    assert (found.cause, found.certainty) == ("too_few_steps", "proven")
    assert found.remedy.words == "train for 20 epochs"


def test_weights_of_the_classes_bring_a_rare_class_back() -> None:
    problem = cluster_problem(texts=900, spread=2.5)
    rare = (problem.labels != 0) & (np.arange(900) // 3 % 10 != 0)
    kept = replace(problem, train=problem.train[~rare[problem.train]])
    case = module_case(
        partial(foreign.MeanOf, WIDTH, 3), kept, Loop(epochs=6, learning_rate=3e-3), "mine"
    )
    weighed = ChangedLoop("weighed", (("balanced", True),), measure="macro_f1")
    trial = weighed.run(case)
    assert trial.labels is not None
    assert len(trial.labels) == 2 * len(problem.validation)  # with a second seed
    assert macro_f1(trial.labels, trial.after) > macro_f1(trial.labels, trial.before) + 0.1


def test_a_module_that_is_trained_is_examined_as_it_is() -> None:
    problem = cluster_problem(texts=300, spread=0.5)
    names = np.array(["joy", "anger", "fear"])[problem.labels]
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(WIDTH, 3))
    ids = torch.from_numpy(problem.labels)  # joy 0, anger 1, fear 2: not the sorted order
    x = torch.from_numpy(problem.table.values)[:, None]
    optimizer = torch.optim.Adam(module.parameters(), lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(module(x), ids).backward()
        optimizer.step()
    found = examine(module, problem.table, names)
    leading = found.verdict.leading
    assert leading is not None
    assert (leading.cause, leading.certainty) == ("scored_otherwise", "proven")
    assert "output 0 means 'joy'" in leading.evidence[0].comparison
    assert examine(module, problem.table, problem.labels).verdict.state == "healthy"


def test_estimators_over_averaged_vectors() -> None:
    problem = cluster_problem(texts=240)
    found = examine(LogisticRegression(), problem.table, problem.labels)
    assert found.verdict.state == "healthy"
    assert found.to_dict()["examined"] == "LogisticRegression"
    dummy = examine(DummyClassifier(), problem.table.values, problem.labels)
    assert dummy.verdict.state == "unknown"


@pytest.mark.parametrize(
    ("estimator", "size", "words"),
    [
        (LogisticRegression(C=1e-7), 1.0, "its parameters hold it back. Parameters: C=1e-07"),
        (LogisticRegression(), 1e-2, "held back by the size of the features"),
        (
            make_pipeline(StandardScaler(), LogisticRegression(C=1e-7)),
            1.0,
            "its parameters hold it back. Parameters: C=1e-07",
        ),
    ],
)
def test_an_estimator_that_is_held_back(estimator: Any, size: float, words: str) -> None:
    problem = cluster_problem(texts=600)  # of which the first class keeps all
    kept = (problem.labels == 0) | (np.arange(600) // 3 % 3 == 0)
    x, labels = problem.table.values[kept] * size, problem.labels[kept]
    found = examine(estimator, x, labels)
    leading = found.verdict.leading
    assert leading is not None
    assert (leading.cause, leading.certainty) == ("over_regularised", "proven")
    assert words in found.to_text()
    assert found.verdict.then is not None
    assert found.verdict.then.state == "healthy"
    assert examine(estimator.fit(x, labels), x, labels).verdict.leading is None


def test_an_estimator_whose_parameter_is_called_steps() -> None:
    class Stepped(LogisticRegression):  # type: ignore[misc]
        def __init__(self, steps: int = 3) -> None:
            super().__init__()
            self.steps = steps

    problem = cluster_problem(texts=240)
    found = examine(Stepped(steps=5), problem.table, problem.labels)
    assert found.verdict.state == "healthy"


WEIGHED = LogisticRegression(class_weight="balanced")


@pytest.mark.parametrize("weighed", [WEIGHED, make_pipeline(StandardScaler(), WEIGHED)])
def test_an_estimator_that_loses_a_rare_class(weighed: Any) -> None:
    random = np.random.default_rng(0)
    rare = (random.random(2000) < 0.08).astype(int)
    x = random.standard_normal((2000, 30)).astype(np.float32)
    x[rare == 1, 0] += 1.0
    leading = examine(LogisticRegression(), x, rare).verdict.leading
    assert leading is not None
    assert (leading.cause, leading.certainty) == ("imbalance", "measured")
    assert leading.tried[0].measure == "macro-F1"
    assert "as classes are weighed: macro-F1" in examine(weighed, x, rare).verdict.summary


def test_an_estimator_that_mixes_texts() -> None:
    class Centred(LogisticRegression):  # type: ignore[misc]
        def predict_proba(self, x: np.ndarray) -> np.ndarray:
            return np.asarray(super().predict_proba(x - x.mean(axis=0)))

    problem = cluster_problem(texts=240)
    leading = examine(Centred(), problem.table, problem.labels).verdict.leading
    assert leading is not None
    assert (leading.cause, leading.certainty) == ("batch_dependence", "proven")


def test_python_of_the_page_runs(tiny_models: dict[str, Path]) -> None:
    page = (REPOSITORY / "docs" / "doctor-foreign.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    texts = [f"{('cat sat', 'dogs bark')[number % 2]} {number}" for number in range(40)]
    block = block.replace("load_encoder()", f"load_encoder({str(tiny_models['bert'])!r})")
    labels = ["good", "bad"] * 20
    names: dict[str, Any] = {"texts": texts, "labels": labels, "build": foreign.MeanOf}
    exec(block, names)
    assert names["found"].verdict.state in ("healthy", "unknown", "ill")


def test_what_cannot_be_examined_is_refused() -> None:
    problem = marker_problem()
    arrays = [problem.table.sequence(row) for row in range(3)]
    for table, labels, words in (
        (problem.table, problem.labels[:-1], "one label each"),
        (problem.table, np.zeros(len(problem.table)), "at least 2 classes"),
        (problem.table, [None, *problem.labels[1:]], "missing .* in row 1;"),
        (problem.table, [np.nan, *problem.labels[1:]], "missing .* in row 1;"),
        (problem.table, np.array(["a", *problem.labels[1:]], object), "of one kind; got int"),
        ([*arrays, np.zeros((2, 3))], [0, 1, 0, 1], "one width"),
        (
            FeatureTable(np.full((4, 2), np.nan, np.float32), np.arange(5), "pooled"),
            [0, 1, 0, 1],
            "finite",
        ),
    ):
        with pytest.raises(ArrayError, match=words):
            examine(foreign.MeanOf, table, labels)
    with pytest.raises(ArrayError, match="got a int"):
        examine(3, problem.table, problem.labels)
    with pytest.raises(ModuleError, match="NaN or infinity for 240 of 240 texts; look for"):
        examine(foreign.Logarithm, problem.table, problem.labels, **QUICK)
    with pytest.raises(ModuleError, match="nothing to learn"):
        examine(lambda width, classes: torch.nn.Identity(), problem.table, problem.labels)


def good_loop(module: Any, x: torch.Tensor, mask: torch.Tensor, labels: torch.Tensor) -> None:
    optimizer = torch.optim.Adam(module.parameters(), lr=0.02)
    for _ in range(40):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(module(x, mask), labels).backward()
        optimizer.step()


def never_steps(module: Any, x: torch.Tensor, mask: torch.Tensor, labels: torch.Tensor) -> None:
    torch.nn.functional.cross_entropy(module(x, mask), labels).backward()


def slipped_labels(
    module: Any, x: torch.Tensor, mask: torch.Tensor, labels: torch.Tensor
) -> None:
    good_loop(module, x, mask, labels.roll(1)[torch.randperm(len(labels))])


@pytest.mark.parametrize(
    ("loop", "words"),
    [
        (good_loop, ""),
        (never_steps, "moves no weight"),
        (slipped_labels, "the training loop is at fault"),
    ],
)
def test_which_half_is_at_fault(loop: Any, words: str) -> None:
    problem = marker_problem(texts=360)
    found = examine(foreign.MeanOf, problem.table, problem.labels, loop=loop, **QUICK)
    leading = found.verdict.leading
    if not words:
        assert leading is None
        return
    assert leading is not None
    assert (leading.cause, leading.certainty) == ("gradient_fault", "proven")
    assert words in leading.explanation


def test_a_loop_that_fails_is_told_with_its_line() -> None:
    def fails(*arguments: Any) -> None:
        raise RuntimeError("no data")

    problem = marker_problem()
    with pytest.raises(ModuleError, match=r"training loop fails: RuntimeError.*line \d+"):
        examine(foreign.MeanOf, problem.table, problem.labels, loop=fails)
    assert "counting" not in torch.nn.Module.zero_grad.__qualname__  # as it was
