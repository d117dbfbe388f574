"""``diagnostics.json``: what training measures is stored with the run, and read again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from features.errors import CacheError, DamagedFileError
from features.tables import as_tables
from heads.registry import make_settings
from heads.trained import fit
from pipeline.runs.files.diagnostics import DIAGNOSTICS, read_diagnostics
from pipeline.training.diagnosis import score_training
from tests.support.cli import Command
from tests.support.tables import cluster_problem


def test_a_run_says_what_was_measured(train: Command) -> None:
    folder = Path(train("cnn")["run"])
    run = read_diagnostics(folder)
    assert run is not None
    found = run.find(1, 0)
    assert found is not None
    assert found.gain is not None
    assert found.training is not None
    assert found.steps is not None
    assert found.steps.tensors
    history = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    best = max(history, key=lambda one: (one["validation_accuracy"], -one["validation_loss"]))
    # Epochs are validated in the precision of the training, the head in float32.
    assert found.gain.accuracy == pytest.approx(best["validation_accuracy"], abs=0.02)
    assert found.gain.loss == pytest.approx(best["validation_loss"], rel=2e-3)
    assert run.find(2, 0) is None


def test_a_head_without_steps_has_a_training_score(train: Command) -> None:
    run = read_diagnostics(Path(train("logistic")["run"]))
    found = run.find(1, 0) if run else None
    assert found is not None
    assert found.training is not None
    assert found.steps is None


def test_older_runs_have_none_and_damage_is_named(train: Command) -> None:
    folder = Path(train("logistic")["run"])
    path = folder / DIAGNOSTICS
    values = json.loads(path.read_text())
    path.write_text(json.dumps({**values, "version": 99}))
    with pytest.raises(CacheError, match="version 99"):
        read_diagnostics(folder)
    path.write_text("{")
    with pytest.raises(DamagedFileError, match=DIAGNOSTICS):
        read_diagnostics(folder)
    path.unlink()
    assert read_diagnostics(folder) is None


def test_knn_is_not_scored_on_texts_that_it_remembers() -> None:
    problem = cluster_problem()
    sides = problem.train, problem.validation
    scores = {}
    for head in ("knn", "mlp"):
        trained = fit(
            head,
            make_settings(head, {}),
            problem.table,
            problem.labels,
            *sides,
            ("a", "b", "c"),
            0,
        )
        scores[head] = score_training(
            trained, as_tables(problem.table), problem.labels, problem.train
        )
    assert scores["knn"] is None
    assert scores["mlp"] is not None
    assert scores["mlp"].texts == len(np.unique(problem.train))
