"""The cure: which remedies are trained, in which order, and which run is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import ExperimentConfig
from pipeline.doctor.case import Case
from pipeline.doctor.counterfactual import Trial
from pipeline.doctor.findings import Afterwards, Certainty, Finding, Remedy, Verdict
from pipeline.doctor.runs import cure as cures
from pipeline.doctor.runs.cure import Cure, Cures, cure
from pipeline.evaluation.evaluation import score
from tests.support.doctor.cases import healthy, trained_case
from tests.support.tables import cluster_problem


def finding(name: str, remedy: Remedy, certainty: Certainty = "proven") -> Finding:
    return Finding(name, certainty, f"{name} hurts.", f"{name} is wrong", (), remedy)


def setting(**settings: str) -> Remedy:
    return Remedy(f"set {settings}", settings=tuple(settings.items()))


def verdict(*findings: Finding, then: Finding | None = None) -> Verdict:
    behind = None if then is None else Afterwards("ill", "", 0.5, (then,))
    return Verdict(
        "ill" if findings else "healthy", "", findings, (), (), healthy(), then=behind
    )


def case() -> Case:
    """Return a case that can be trained again by a command."""
    made = trained_case(cluster_problem(400), "logistic")
    return replace(made, config=ExperimentConfig(head="logistic"))


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """Give each training as many points more as ``c`` says; return what was asked."""
    asked: list[dict[str, object]] = []

    def train(
        case: Case, changed: ExperimentConfig, remedy: Remedy, measure: str, load: object
    ) -> tuple[Cure, Trial]:
        asked.append(dict(changed.settings))
        before = np.arange(200) < 100
        after = np.arange(200) < 100 + 2 * int(str(changed.settings.get("c", 0)))
        low, high = (score(np.ones(200, int), side.astype(int)) for side in (before, after))
        folder = Path(f"run{len(asked)}")
        made = Cure(folder, "manyheads train", low, high, remedy.words, measure)
        return made, Trial(before, after)

    monkeypatch.setattr(cures, "_train", train)
    return asked


def test_remedies_are_tried_in_order_and_the_best_one_is_kept(
    trained: list[dict[str, object]],
) -> None:
    leading, second = finding("first", setting(c="5")), finding("then", setting(tolerance="1"))
    other = finding("other", setting(c="20"))
    unsure = finding("unsure", setting(c="30"), "likely")
    found = cure(verdict(leading, other, unsure, then=second), case())
    assert trained == [{"c": "5"}, {"c": "5", "tolerance": "1"}, {"c": "20"}]
    assert found.best is found.tried[2]
    assert found.best.difference == pytest.approx(0.2)
    text = found.to_text()
    assert "Remedy 3, set {'c': '20'}: +20.0 points (" in text
    assert "Cured, on the same validation texts: +20.0 points" in text
    assert "New run, the one to keep: run3" in text


def test_a_gain_within_noise_is_no_cure(trained: list[dict[str, object]]) -> None:
    found = cure(verdict(finding("first", setting(c="0"))), case())
    assert found.best is None
    assert "Not cured, on the same validation texts: +0.0 points" in found.to_text()
    assert found.tried[0].to_dict()["helps"] is False


def test_a_cure_that_was_proven_on_more_texts_is_likely_better() -> None:
    low, high = (score(np.ones(9, int), (np.arange(9) < hits).astype(int)) for hits in (4, 5))
    made = Cure(Path("new"), "manyheads train", low, high, "set c=2", difference=0.1)
    made = replace(made, interval=(-0.1, 0.3), proven_on=40)
    told = Cures((made,)).to_text()
    assert "proven on 40, so the new run is likely the better one" in told
    alone = Cures((replace(made, proven_on=9),)).to_text()
    assert "so keep the run as it is" in alone


def test_why_nothing_was_trained_is_said(trained: list[dict[str, object]]) -> None:
    def told(*findings: Finding) -> str:
        return cure(verdict(*findings), case()).to_text()

    assert told() == "Nothing was trained: nothing is to be mended."
    no_training = finding("noise", Remedy("read the labels", command="manyheads audit"))
    assert (
        told(no_training) == "Nothing was trained: the remedy is no training: read the labels."
    )
    likely = finding("first", setting(c="5"), "likely")
    assert "that first is wrong is likely, and nothing is proven" in told(likely)
    assert trained == []


def test_sides_that_are_dealt_anew_cannot_be_compared() -> None:
    before, after = (score(np.ones(9, int), np.arange(9) % 2) for _ in range(2))
    made = Cure(Path("new"), "manyheads train", before, after)
    found = Cures((made,))
    assert found.best is made
    assert "the second score is the one to believe" in found.to_text()
