"""Kill anywhere: after any kill, full disk or failed call the cache opens and loses nothing."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.encoding.plan import plan_encoding
from features.encoding.serial import encode
from features.errors import CacheError, DiskSpaceError, ManyheadsError
from features.storage import files
from features.store.space import Space
from features.store.store import FeatureStore
from features.store.verification import STALE_INDEX, STALE_TEMPORARY, verify_cache
from tests.support.drivers.kill_driver import FEW, SPECS
from tests.support.drivers.kill_driver import TEXTS as KILL_TEXTS
from tests.support.encoders import CountingEncoder, fake_vectors, spec

REPOSITORY = Path(__file__).resolve().parents[3]
TEXTS = [f"text number {i} " + "word " * (i % 5) for i in range(16)]


def opened(root: Path) -> list[Space]:
    return [FeatureStore(root).space(one, "fake") for one in SPECS]


def run(root: Path, texts: list[str] = TEXTS) -> CountingEncoder:
    encoder, spaces = CountingEncoder(), opened(root)
    encode(plan_encoding(texts, spaces), texts, spaces, lambda: encoder, unit_texts=8)
    return encoder


def content(root: Path, texts: list[str]) -> list[bytes]:
    """All vectors of all texts: what the cache says, whatever its files look like."""
    tables = [space.table(plan_encoding(texts, [space]).keys) for space in opened(root)]
    return [part for t in tables for part in (t.offsets.tobytes(), t.values.tobytes())]


def check_resumed(root: Path, texts: list[str]) -> int:
    """What is there is right; a second run encodes only the rest. How many that were."""
    kinds = {finding.kind for finding in verify_cache(root)}
    assert kinds <= {STALE_INDEX, STALE_TEMPORARY}, kinds
    spaces = opened(root)
    plan = plan_encoding(texts, spaces)
    for space in spaces:
        have = np.flatnonzero(~space.missing(plan.keys)).tolist()
        table = space.table(plan.keys[have])
        for row, index in enumerate(have):
            expected = fake_vectors(texts[index], space.spec.layout, 8)
            assert np.array_equal(table.sequence(row), expected)
    rest = run(root, texts)
    assert rest.seen == [texts[row] for row in plan.missing]
    assert not list(root.glob("**/.tmp-*")), "a dead writer's file was left"
    assert verify_cache(root) == []
    return len(rest.seen)


def killed(root: Path, *how: object) -> dict[str, Any]:
    """What the driver did: it forks writers without the libraries that start threads."""
    driver = subprocess.run(
        [sys.executable, "-m", "tests.support.drivers.kill_driver", str(root), *map(str, how)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert driver.returncode == 0, driver.stderr
    return json.loads(driver.stdout)  # type: ignore[no-any-return]


def test_killed_at_each_call(tmp_path: Path) -> None:
    report = killed(tmp_path / "killed", "at-each-call")
    assert min(report["calls"].values()) >= 2, "the store no longer makes this call"
    run(tmp_path / "straight", FEW)
    straight = content(tmp_path / "straight", FEW)
    for cache in map(Path, report["caches"]):
        check_resumed(cache, FEW)
        assert content(cache, FEW) == straight


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path: Path) -> None:
    report = killed(tmp_path / "killed", "at-random", 60, 0)
    assert report["killed"] == 60
    assert report["failed"] == 0
    run(tmp_path / "straight", KILL_TEXTS)
    straight = content(tmp_path / "straight", KILL_TEXTS)
    for cache in map(Path, report["caches"]):
        check_resumed(cache, KILL_TEXTS)
        assert content(cache, KILL_TEXTS) == straight


CALLS = ["open", "write", "fsync", "replace", "mkdir"]
"""What the store asks of the system; ``mkdir`` is pathlib's."""


class FailingCall:
    """Counts the calls of one function of ``os`` and lets the k-th fail."""

    def __init__(self, patch: pytest.MonkeyPatch, name: str, k: int, number: int) -> None:
        self.count = 0
        real: Callable[..., Any] = getattr(os, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self.count += 1
            if self.count == k:
                raise OSError(number, os.strerror(number))
            return real(*args, **kwargs)

        patch.setattr(files.os, name, call)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])
@pytest.mark.parametrize("name", CALLS)
def test_each_call_fails_in_turn(tmp_path: Path, name: str, number: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        counted = FailingCall(patch, name, 0, number)
        run(tmp_path / "straight")
    assert counted.count >= 2, "the store no longer makes this call"
    straight = content(tmp_path / "straight", TEXTS)
    kind = DiskSpaceError if number == errno.ENOSPC else CacheError
    for k in range(1, counted.count + 1):
        root = tmp_path / f"{k}"
        with pytest.MonkeyPatch.context() as patch:
            FailingCall(patch, name, k, number)
            with pytest.raises(kind, match="choose another"):
                run(root)
        assert not list(root.glob("*/.tmp-*")), "a failed write left its file"
        check_resumed(root, TEXTS)
        assert content(root, TEXTS) == straight
    print(f"{name}: {counted.count} calls, each failed once")


def test_a_disk_that_fills_after_any_number_of_bytes(tmp_path: Path) -> None:
    run(tmp_path / "straight")
    straight = content(tmp_path / "straight", TEXTS)
    size = sum(path.stat().st_size for path in (tmp_path / "straight").glob("*/*"))
    real = os.write
    for room in range(0, size, size // 40):
        left = room

        def write(descriptor: int, data: memoryview) -> int:
            nonlocal left
            if not left:
                raise OSError(errno.ENOSPC, "No space left on device")
            count = real(descriptor, data[:left])
            left -= count
            return count

        root = tmp_path / str(room)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files.os, "write", write)
            with pytest.raises(DiskSpaceError, match="what was committed stays"):
                run(root)
        check_resumed(root, TEXTS)
        assert content(root, TEXTS) == straight


def test_a_small_disk_runs_full(small_disk: Path, tmp_path: Path) -> None:
    texts = [f"text number {i} " + "word " * 30 for i in range(1000)]
    root = small_disk / "cache"
    with pytest.raises(DiskSpaceError, match=r"is full.*free some space"):
        run(root, texts)
    spaces = opened(root)
    stored = [len(space) for space in spaces]
    assert min(stored) > 100, "what was committed before stays"
    assert {finding.kind for finding in verify_cache(root)} <= {STALE_INDEX}
    for space in spaces:
        keys = plan_encoding(texts, []).keys
        have = np.flatnonzero(~space.missing(keys))
        table = space.table(keys[have])
        for row in (0, len(have) // 2, len(have) - 1):
            expected = fake_vectors(texts[have[row]], space.spec.layout, 8)
            assert np.array_equal(table.sequence(row), expected)
    with pytest.raises(DiskSpaceError):
        run(root, texts)
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
    rest = run(root, texts)
    assert len(rest.seen) <= len(texts) - min(stored)
    run(tmp_path / "straight", texts)
    assert content(root, texts) == content(tmp_path / "straight", texts)


def test_a_swept_temporary_file_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that cannot see this one's locks may take a file under way for a leftover."""
    real, swept = os.replace, []

    def replace(source: Path, target: Path) -> None:
        if not swept:
            swept.append(source)
            source.unlink()
        real(source, target)

    monkeypatch.setattr(files.os, "replace", replace)
    files.put(tmp_path, "file", b"content")
    assert swept
    assert (tmp_path / "file").read_bytes() == b"content"


@pytest.mark.parametrize("old", [True, False])
def test_without_locks_age_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: bool
) -> None:
    monkeypatch.setattr(files, "fcntl", None)
    path = tmp_path / ".tmp-1"
    path.write_bytes(b"half")
    if old:
        os.utime(path, (0, 0))
    assert files.sweep(tmp_path) == old
    assert path.exists() != old
    files.put(tmp_path, "file", b"content")
    assert (tmp_path / "file").read_bytes() == b"content"


def test_a_folder_that_is_taken_away_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ManyheadsError, match=r"cannot be (read|written).*--cache"):
        FeatureStore(tmp_path / "file").space(spec()).commit(
            plan_encoding(["a"], []).keys,
            CountingEncoder().encode(["a"], [spec()], lambda *_: None)[0],
        )
