"""The line at the end of a training: what earns it, and that nothing else does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.doctor.runs import watch as module
from pipeline.doctor.runs.watch import watch, watch_training
from tests.support.doctor.cases import trained_case
from tests.support.tables import marker_problem

QUICK = {"batch_size": 16, "filters": 16, "precision": "float32"}
RUN = Path("runs/20261127-083000-cnn-1f2e3d")


def test_a_head_that_learns_gets_no_line() -> None:
    assert watch(trained_case(marker_problem(300), "cnn", epochs=8, **QUICK), RUN) is None


def test_a_head_that_answers_one_class_gets_one_with_the_command() -> None:
    case = trained_case(marker_problem(300), "cnn", epochs=1, **QUICK)
    constant = np.zeros_like(case.logits)
    constant[:, 1] = 1.0
    found = watch(replace(case, logits=constant), RUN)
    assert found is not None
    assert found.line.startswith("Watch: ")
    assert "\n" not in found.line
    assert "answers 'class 1' for 100%" in found.line
    assert found.line.endswith(found.command)
    assert found.command == f"manyheads doctor {RUN.name}"
    elsewhere = watch(replace(case, logits=constant), Path("other") / RUN.name)
    assert elsewhere is not None
    assert elsewhere.command.endswith("--runs other")


def test_what_fails_is_a_note_and_loses_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(learned: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(module, "case_of_training", fails)
    assert watch_training(SimpleNamespace(), RUN) == ()  # type: ignore[arg-type]
    assert "division by zero" in capsys.readouterr().err
