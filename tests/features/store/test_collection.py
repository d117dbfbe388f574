"""Collect removes what its plan saw and nothing else, whenever it is cut short."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.store.collection import collect, plan_collection
from features.store.compaction import compact
from features.store.verification import STALE_INDEX, verify_cache
from features.text.keys import text_keys
from tests.support.caches import GONE, KEPT, LATER, fill, held, opened
from tests.support.encoders import CountingEncoder


def test_collect_removes_only_what_its_plan_saw(tmp_path: Path) -> None:
    fill(tmp_path, KEPT + GONE)
    keep = text_keys(KEPT)
    removals = plan_collection(tmp_path, keep, None)
    fill(tmp_path, LATER)
    collect(tmp_path, removals, keep)
    assert [held(tmp_path, texts) for texts in (KEPT, GONE, LATER)] == [24, 0, 24]
    assert verify_cache(tmp_path) == []


@pytest.mark.parametrize("old", [True, False])
def test_a_space_that_was_to_go_whole_keeps_what_came_since(tmp_path: Path, old: bool) -> None:
    fill(tmp_path, GONE)
    manifest = opened(tmp_path).folder / "space.json"
    os.utime(manifest, (0, 0))
    keep = None if old else text_keys(KEPT)
    removals = plan_collection(
        tmp_path, keep, datetime(2020, 1, 1, tzinfo=UTC) if old else None
    )
    assert [removal.whole for removal in removals] == [True]
    fill(tmp_path, LATER)
    if old:
        os.utime(manifest, (0, 0))  # as where the time of last use is coarse
    collect(tmp_path, removals, keep)
    assert [held(tmp_path, texts) for texts in (GONE, LATER)] == [0, 24]
    assert verify_cache(tmp_path) == []


def test_copies_of_a_text_that_goes_go_too(tmp_path: Path) -> None:
    space = opened(tmp_path)
    for texts in (KEPT[:8] + GONE[:8], GONE[4:12] + KEPT[8:16]):
        (block,) = CountingEncoder().encode(texts, [space.spec], lambda *_: None)
        space.commit(text_keys(texts), block)
    keep = text_keys(KEPT)
    collect(tmp_path, plan_collection(tmp_path, keep, None), keep)
    assert [held(tmp_path, texts) for texts in (KEPT, GONE)] == [16, 0]


class Killed(BaseException):
    """Nobody catches it, as nobody catches a kill."""


@pytest.mark.parametrize("kept", [KEPT, KEPT[:4], []], ids=["half", "parts", "none"])
def test_an_interrupted_collection_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: list[str]
) -> None:
    keep = text_keys(kept)
    for k in range(1, 99):
        root, count = tmp_path / str(k), 0
        fill(root, KEPT + GONE)

        def dying(real, kth=k):  # type: ignore[no-untyped-def]
            def call(*args, **kwargs):  # type: ignore[no-untyped-def]
                nonlocal count
                count += 1
                if count == kth:
                    raise Killed
                return real(*args, **kwargs)

            return call

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Path, "unlink", dying(Path.unlink))
            patch.setattr("features.storage.files.os.replace", dying(os.replace))
            patch.setattr(Path, "rmdir", dying(Path.rmdir))
            try:
                collect(root, plan_collection(root, keep, None), keep)
                break
            except Killed:
                pass
        assert {finding.kind for finding in verify_cache(root)} <= {
            STALE_INDEX,
            "stale temporary",
        }
        assert held(root, kept) == len(kept)
        collect(root, plan_collection(root, keep, None), keep)
        assert verify_cache(root) == [], k
        assert [held(root, kept), len(opened(root))] == [len(kept)] * 2
    assert k > 4


def test_collect_finishes_though_nothing_is_left_to_go(tmp_path: Path) -> None:
    fill(tmp_path, KEPT)
    opened(tmp_path).drop_index()
    collect(tmp_path, [], text_keys(KEPT))
    assert verify_cache(tmp_path) == []


@pytest.mark.parametrize("variant", range(8))
def test_what_a_killed_compaction_left_is_not_taken_for_a_copy(
    tmp_path: Path, variant: int
) -> None:
    """The parts are joined into the same bytes again, which are in the next group."""
    texts = [f"{variant} {i} word" for i in range(16)]
    fill(tmp_path, texts)
    parts = {path.name: path.read_bytes() for path in opened(tmp_path).folder.glob("*.parquet")}
    compact(opened(tmp_path))
    for name, data in parts.items():
        (opened(tmp_path).folder / name).write_bytes(data)
    opened(tmp_path).drop_index()
    assert len(opened(tmp_path).index.shards) == 3
    compact(opened(tmp_path), target=sum(map(len, parts.values())) + 1)
    assert held(tmp_path, texts) == len(texts)
