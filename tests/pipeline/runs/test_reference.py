"""Reference vectors: texts like the held-out ones are usual, others are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from features.errors import CacheError, DamagedFileError
from features.splits.split import Split
from pipeline.prediction.provenance import Provenance
from pipeline.runs.reference import (
    MAX_VECTORS,
    Reference,
    read_reference,
    write_reference,
)

RANDOM = np.random.default_rng(0)
CENTER = RANDOM.standard_normal(32)


def near(count: int) -> np.ndarray:
    """Vectors around one place."""
    return (CENTER + RANDOM.standard_normal((count, 32))).astype(np.float16)


def split(count: int, train: int) -> Split:
    every = np.arange(count)
    half = (train + count) // 2
    return Split(every[:train], every[train:half], every[half:], ("a", "b"), {}, ())


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference.of(near(1200), split(1200, 800))


def test_the_threshold_keeps_its_rate(reference: Reference) -> None:
    assert len(reference.vectors) == MAX_VECTORS
    assert reference.rate == pytest.approx(4 / 401)
    alarms = reference.unusual(near(4000)).mean()
    assert alarms == pytest.approx(reference.rate, abs=0.015)


@pytest.mark.parametrize("count", [1, 2, 20, 150, 3000])
def test_strange_texts_are_foreign_and_usual_ones_are_not(
    reference: Reference, count: int
) -> None:
    strange = RANDOM.standard_normal((count, 32)) - CENTER
    assert reference.foreign(reference.unusual(strange))
    quiet = [reference.foreign(reference.unusual(near(count))) for _ in range(20)]
    assert sum(quiet) <= 2
    assert not reference.foreign(np.zeros(count, bool))


def test_few_held_out_texts_allow_no_alarm_about_one_text() -> None:
    small = Reference.of(near(30), split(30, 20))
    assert small.rate == pytest.approx(1 / 11)
    assert not small.foreign(np.ones(1, bool))
    assert small.foreign(np.ones(5, bool))


def test_it_is_read_as_it_was_written(reference: Reference, tmp_path: Path) -> None:
    path = tmp_path / "reference.safetensors"
    assert read_reference(path) is None
    write_reference(path, reference)
    again = read_reference(path)
    assert again is not None
    assert np.array_equal(again.vectors, reference.vectors)
    assert (again.threshold, again.rate) == (reference.threshold, reference.rate)
    assert path.stat().st_size < 40_000


def test_damage_is_said(reference: Reference, tmp_path: Path) -> None:
    path = tmp_path / "reference.safetensors"
    vectors = {"vectors": reference.vectors}
    numbers = {"version": "1", "threshold": "0.5", "rate": "0.01"}
    for content in (b"", b"half", save(vectors, {**numbers, "rate": "x"}), save({}, numbers)):
        path.write_bytes(content)
        with pytest.raises(DamagedFileError, match="train the run again"):
            read_reference(path)
    path.write_bytes(save(vectors, {**numbers, "version": "9"}))
    with pytest.raises(CacheError, match="format version 9"):
        read_reference(path)


def test_a_run_of_folds_says_whose_head_it_has() -> None:
    from pipeline.evaluation.evaluation import Score

    test = Score(0.5, 0.5, (0.4, 0.6), 100)
    run = Provenance(
        Path("runs/x"), "cnn", "my.csv", "2026-11-27T02:21:39+00:00", test, folds=5
    )
    first, second = run.lines()
    assert first == (
        "run: x (cnn, trained on my.csv, 2026-11-27 02:21 UTC); test accuracy: "
        "50.0% (40.0% to 60.0%)"
    )
    few = replace(run, test=Score(1.0, 1.0, (0.2, 1.0), 1))
    assert few.lines()[0].endswith("; test accuracy: too few texts (1) for a score")
    assert "that of fold 1 of 5" in second
    assert Provenance(Path("model"), "cnn").lines() == ["model: model (cnn)"]
