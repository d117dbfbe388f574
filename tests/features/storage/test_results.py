"""Kept results: read where all that decides them is the same, computed again otherwise."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from features.duplicates import duplicates
from features.duplicates.duplicates import CODE, Duplicates, cached_duplicates, find_duplicates
from features.storage import results
from features.storage.results import RESULTS, find, keep, recall
from features.store.verification import verify_cache
from pipeline.evaluation import baselines
from tests.support.corpora import sentence

TEXTS = [*(sentence(i) for i in range(12)), sentence(3), sentence(4).upper()]


class Made:
    """A computation that counts how often it is asked."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> dict[str, np.ndarray]:
        self.times += 1
        return {"rows": np.arange(3), "none": np.empty(0, np.float32), "one": np.array(0.5)}


def ask(
    root: Path,
    made: Made,
    *parts: object,
    code: tuple[str, ...] = CODE,
    min_seconds: float = 0.0,
) -> None:
    got = recall(root, parts, code, ("numpy",), made, min_seconds)  # type: ignore[arg-type]
    expected = Made()()
    assert got.keys() == expected.keys()
    for name, array in expected.items():
        assert got[name].dtype == array.dtype
        assert np.array_equal(got[name], array)


def test_the_same_content_is_computed_once(tmp_path: Path) -> None:
    made = Made()
    for _ in range(3):
        ask(tmp_path, made, ["a", "b"], np.arange(4), "x")
    assert made.times == 1
    others = (
        (["ab"], np.arange(4), "x"),
        (["a", "b"], np.arange(4, dtype=np.int32), "x"),
        (["a", "b"], np.arange(4).reshape(2, 2), "x"),
        (["a", "b"], np.arange(4), "y"),
    )
    for times, parts in enumerate(others, start=2):
        ask(tmp_path, made, *parts)
        assert made.times == times
    ask(tmp_path, made, ["a", "b"], np.arange(4), "x", code=("features.storage.results",))
    assert made.times == 6
    assert verify_cache(tmp_path) == []


@pytest.mark.parametrize("damage", [b"", b"x" * 200, None])
def test_a_damaged_result_is_computed_again(tmp_path: Path, damage: bytes | None) -> None:
    made = Made()
    ask(tmp_path, made, "x")
    (path,) = (tmp_path / RESULTS).iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]) if damage is None else damage)
    ask(tmp_path, made, "x")
    assert made.times == 2
    assert path.read_bytes() == whole


def test_where_nothing_can_be_kept_nothing_is_lost(tmp_path: Path) -> None:
    (tmp_path / RESULTS).write_text("in the way")
    made = Made()
    ask(tmp_path, made, "x")
    ask(tmp_path, made, "x")
    assert made.times == 2


def test_what_is_kept_replaces_what_was(tmp_path: Path) -> None:
    place = (tmp_path, ("x",), CODE, ("numpy",))
    assert find(*place) is None
    for value in (1, 2):
        keep(*place, {"value": np.array(value)})
    found = find(*place)
    assert found is not None
    assert found["value"] == 2
    assert find(tmp_path, ("y",), CODE, ("numpy",)) is None
    assert find(tmp_path, ("x",), CODE[1:], ("numpy",)) is None
    (tmp_path / "file").write_text("in the way")
    keep(tmp_path / "file", ("x",), CODE, ("numpy",), {"value": np.array(1)})


def test_what_takes_no_time_is_not_stored(tmp_path: Path) -> None:
    ask(tmp_path, Made(), "x", min_seconds=60.0)
    assert not (tmp_path / RESULTS).exists()


def test_copies_and_baseline_are_found_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "MIN_SECONDS", 0.0)
    vectors = np.random.default_rng(0).standard_normal((len(TEXTS), 8)).astype(np.float16)
    labels, rows = np.arange(len(TEXTS)) % 2, np.arange(len(TEXTS))
    found = cached_duplicates(tmp_path, TEXTS, vectors)
    words = baselines.cached_tfidf_logistic(tmp_path, TEXTS, labels, rows[:9], rows[9:])
    monkeypatch.setattr(duplicates, "find_duplicates", None)
    monkeypatch.setattr(baselines, "tfidf_logistic", None)
    again = cached_duplicates(tmp_path, TEXTS, vectors)
    for name in Duplicates.__dataclass_fields__:
        assert np.array_equal(getattr(again, name), getattr(found, name)), name
    assert np.array_equal(again.clusters, find_duplicates(TEXTS, vectors).clusters)
    for _ in range(2):
        got = baselines.cached_tfidf_logistic(tmp_path, TEXTS, labels, rows[:9], rows[9:])
        assert np.array_equal(got, words)
    with pytest.raises(TypeError):
        baselines.cached_tfidf_logistic(tmp_path, TEXTS, 1 - labels, rows[:9], rows[9:])


def test_a_named_pipe_in_place_of_a_result_does_not_hang(tmp_path: Path) -> None:
    made = Made()
    ask(tmp_path, made, "x")
    (path,) = (tmp_path / RESULTS).iterdir()
    path.unlink()
    os.mkfifo(path)
    ask(tmp_path, made, "x")
    assert made.times == 2
    ask(tmp_path, made, "x")
    assert made.times == 2, "it was put in the pipe's place"
