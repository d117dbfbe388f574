"""Saved heads come back whole, or not at all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.errors import CacheError, SettingError
from features.vectors.table import TOKENS
from heads.persistence.checkpoint import DESCRIPTION, WEIGHTS, load, save
from heads.registry import make_settings
from heads.trained import TrainedHead, fit
from tests.support.tables import cluster_problem, make_table, marker_problem

CLASSES = ("joy", "Ärger", "fear, or worse\n")


@pytest.fixture(scope="module", params=["logistic", "cnn", "lstm", "cnn_lstm", "knn"])
def trained(request: pytest.FixtureRequest) -> TrainedHead:
    return train(request.param)


def train(name: str) -> TrainedHead:
    pooled = name in ("logistic", "knn")
    problem = cluster_problem(60) if pooled else marker_problem(60)
    overrides: dict[str, object] = {} if pooled else {"epochs": 2}
    if name == "cnn_lstm":
        overrides |= {"batch_norm": True, "dense": (5,), "dense_norm": True, "filters": 4}
    if name == "cnn":
        overrides |= {"kernels": (1, 2), "filters": 4}
    settings = make_settings(name, overrides)
    return fit(
        name,
        settings,
        problem.table,
        problem.labels,
        problem.train,
        problem.validation,
        CLASSES,
        seed=0,
    )


def test_round_trip(trained: TrainedHead, tmp_path: Path) -> None:
    trained = replace(trained, temperature=0.7)
    save(trained, tmp_path)
    again = load(tmp_path)
    for name in (
        "head",
        "settings",
        "classes",
        "layout",
        "width",
        "history",
        "best_epoch",
        "temperature",
    ):
        assert getattr(again, name) == getattr(trained, name), name
    assert again.parameters == trained.parameters
    assert again.state.keys() == trained.state.keys()
    for name, value in trained.state.items():
        assert np.array_equal(again.state[name], value)
        assert again.state[name].dtype == value.dtype
    lengths = [1] * 9 if trained.layout == "pooled" else [3, 1, 4, 1, 5, 9, 2, 6, 5]
    table = make_table(lengths)
    table = replace(table, layout=trained.layout)
    rows = np.array([5, 0, 3])
    assert np.array_equal(again.logits(table, rows), trained.logits(table, rows))


def test_nothing_is_pickled(tmp_path: Path) -> None:
    save(train("cnn"), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {WEIGHTS, DESCRIPTION}
    header = (tmp_path / WEIGHTS).read_bytes()
    json.loads(header[8 : 8 + int.from_bytes(header[:8], "little")])


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save(train("cnn"), tmp_path)
    return tmp_path


def refusal(folder: Path) -> str:
    with pytest.raises(CacheError) as caught:
        load(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", [WEIGHTS, DESCRIPTION])
def test_a_missing_file_is_named(saved: Path, name: str) -> None:
    (saved / name).unlink()
    assert f"{saved / name} cannot be read" in refusal(saved)


@pytest.mark.parametrize("kept", [0, 7, 40, 0.5, 0.99])
@pytest.mark.parametrize("name", [WEIGHTS, DESCRIPTION])
def test_a_truncated_file_is_named(saved: Path, name: str, kept: float) -> None:
    data = (saved / name).read_bytes()
    length = int(kept if kept > 1 else kept * len(data))
    (saved / name).write_bytes(data[:length])
    assert str(saved / name) in refusal(saved)


def test_a_flipped_bit_is_noticed(saved: Path) -> None:
    data = bytearray((saved / WEIGHTS).read_bytes())
    data[-5] ^= 4
    (saved / WEIGHTS).write_bytes(data)
    assert "does not match the digest" in refusal(saved)


def test_weights_of_another_run_are_noticed(saved: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    save(train("lstm"), other)
    (saved / WEIGHTS).write_bytes((other / WEIGHTS).read_bytes())
    assert "from another run" in refusal(saved)


def edit(folder: Path, **changes: object) -> None:
    path = folder / DESCRIPTION
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_another_version_is_named(saved: Path) -> None:
    edit(saved, version=6)
    assert "format version 6, this program reads 1, 2, 3, 4, 5" in refusal(saved)


def test_a_head_from_before_temperatures_is_read(saved: Path) -> None:
    path = saved / DESCRIPTION
    values = json.loads(path.read_text())
    del values["temperature"]
    path.write_text(json.dumps({**values, "version": 1}))
    assert load(saved).temperature == 1.0


def test_a_head_from_before_the_value_of_an_epoch_had_its_name_is_read(
    saved: Path,
) -> None:
    history = load(saved).history
    values = json.loads((saved / DESCRIPTION).read_text())
    for record in values["history"]:
        record["learning_rate"] = record.pop("value")
    edit(saved, version=2, history=values["history"])
    assert load(saved).history == history
    edit(saved, history=None)
    assert "head.json" in refusal(saved)


@pytest.mark.parametrize(
    "changes",
    [
        {"width": 7},
        {"classes": ["a", "b"]},
        {"head": "lstm"},
        {"head": "svm"},
        {"settings": {"kernels": [1], "filters": 4}},
        {"settings": {"unitz": 3}},
    ],
)
def test_a_description_of_another_head_is_noticed(
    saved: Path, changes: dict[str, object]
) -> None:
    edit(saved, **changes)
    assert "does not hold the head" in refusal(saved)


@pytest.mark.parametrize(
    "changes",
    [
        {"surprise": 1},
        {"classes": []},
        {"history": [{"epoch": 1}]},
        {"width": "x"},
        {"temperature": 0.0},
        {"temperature": -1.0},
        {"temperature": float("inf")},
    ],
)
def test_a_description_of_another_form_is_noticed(
    saved: Path, changes: dict[str, object]
) -> None:
    edit(saved, **changes)
    assert "is damaged" in refusal(saved)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="cannot be written"):
        save(train("cnn"), tmp_path / "nowhere")


def test_a_table_of_another_space_is_refused(trained: TrainedHead) -> None:
    wrong = make_table([2, 3], width=5)
    with pytest.raises(SettingError, match="of width 6, not tokens vectors of width 5"):
        trained.logits(wrong, np.array([0]))
    other = "pooled" if trained.layout == TOKENS else TOKENS
    with pytest.raises(SettingError, match=f"not {other} vectors"):
        trained.logits(replace(make_table([1, 1]), layout=other), np.array([0]))


def test_probabilities_are_the_softmax_of_the_logits(trained: TrainedHead) -> None:
    table = replace(make_table([1, 1, 1]), layout=trained.layout)
    rows = np.array([2, 1])
    probabilities = trained.predict_proba(table, rows)
    powers = np.exp(trained.logits(table, rows))
    assert np.allclose(probabilities, powers / powers.sum(axis=1, keepdims=True), atol=1e-6)
    assert probabilities.dtype == np.float32
    assert trained.predict_proba(table, rows[:0]).shape == (0, 3)


def test_a_temperature_softens_probabilities_and_changes_no_prediction(
    trained: TrainedHead,
) -> None:
    table = replace(make_table([1, 1, 1]), layout=trained.layout)
    rows = np.arange(3)
    logits = trained.logits(table, rows)
    powers = np.exp(logits / 2.0)
    softer = replace(trained, temperature=2.0).predict_proba(table, rows)
    assert np.allclose(softer, powers / powers.sum(axis=1, keepdims=True), atol=1e-6)
    assert softer.dtype == np.float32
    assert np.all(softer.max(axis=1) < trained.predict_proba(table, rows).max(axis=1))
    assert np.array_equal(softer.argmax(axis=1), logits.argmax(axis=1))
    assert np.array_equal(replace(trained, temperature=2.0).logits(table, rows), logits)
