"""Who verifies and tidies a cache harms nobody else: users' files, writers, other tidiers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.encoding.plan import plan_encoding
from features.encoding.serial import encode
from features.errors import CacheError
from features.storage.files import temporary_folder
from features.storage.storage import exclusive
from features.store import collection, verification
from features.store.collection import collect, plan_collection
from features.store.compaction import compact
from features.store.inventory import inventory
from features.store.manifest import last_use
from features.store.space import Space
from features.store.store import FeatureStore
from features.store.verification import STALE_INDEX, repair, verify_cache
from features.text.keys import text_keys
from tests.support.caches import GONE, KEPT, LATER, UNIT_TEXTS, fill, held, opened
from tests.support.encoders import CountingEncoder, spec

REPOSITORY = Path(__file__).resolve().parents[3]


def tree(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


# Folders that are no cache, and what is not of the cache


def test_an_ordinary_folder_is_left_alone(tmp_path: Path) -> None:
    for name in ("thesis.txt", ".ssh/key", "photos/a.png", "0" * 24 + "/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    (tmp_path / ".tmp-draft").write_text("mine")
    before = tree(tmp_path)
    findings = verify_cache(tmp_path)
    assert findings
    with pytest.raises(CacheError, match=r"is no cache.*nothing was touched.*--cache"):
        repair(tmp_path, findings)
    collect(tmp_path, plan_collection(tmp_path, text_keys(KEPT), None), text_keys(KEPT))
    FeatureStore(tmp_path).prepare()
    assert tree(tmp_path) == before


def test_what_lies_beside_the_spaces_and_folders_stay(tmp_path: Path) -> None:
    fill(tmp_path, KEPT)
    folder = opened(tmp_path).folder
    mine = ["thesis.txt", "runs/a.json", "0" * 24 + "/a.txt", ".tmp-draft"]
    for name in (*mine, f"{folder.name}/photos/a.png", f"{folder.name}/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    findings = verify_cache(tmp_path)
    moved = repair(tmp_path, findings)
    assert [path.relative_to(tmp_path) for path in moved] == [
        Path("quarantine") / folder.name / "notes.txt"
    ]
    for name in (*mine, f"{folder.name}/photos/a.png"):
        assert (tmp_path / name).read_text() == "mine"
    left = {str(finding.path) for finding in verify_cache(tmp_path)}
    assert left == {"thesis.txt", "runs", "0" * 24, ".tmp-draft", f"{folder.name}/photos"}
    assert held(tmp_path, KEPT) == len(KEPT)


def test_what_stands_in_the_way_is_named(tmp_path: Path) -> None:
    fill(tmp_path, KEPT)
    (opened(tmp_path).folder / "notes.txt").write_text("mine")
    findings = verify_cache(tmp_path)
    (tmp_path / ".maintenance").mkdir()
    with pytest.raises(CacheError, match=r"\.maintenance is a folder.*move it away"):
        repair(tmp_path, findings)
    (tmp_path / ".maintenance").rmdir()
    (tmp_path / "quarantine").write_text("mine")
    with pytest.raises(CacheError, match=r"/quarantine.*move that away"):
        repair(tmp_path, findings)
    (tmp_path / "quarantine").unlink()
    repair(tmp_path, findings)
    assert verify_cache(tmp_path) == []


# Temporary names


def test_what_a_writer_left_that_tried_the_cache_is_swept(tmp_path: Path) -> None:
    fill(tmp_path, KEPT)
    for name in (".probe-01234567", ".tmp-0123456789abcdef"):
        (tmp_path / name).touch()
    assert {str(f.path) for f in verify_cache(tmp_path)} == {
        ".probe-01234567",
        ".tmp-0123456789abcdef",
    }
    FeatureStore(tmp_path).prepare()
    assert verify_cache(tmp_path) == []
    assert not list(tmp_path.glob(".[pt]*"))


def test_a_new_space_is_left_to_its_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the folder and the manifest a tidier may take it for an empty one."""
    fill(tmp_path, KEPT)
    space = FeatureStore(tmp_path).space(spec("pooled"), "fake")
    real, taken = os.replace, []

    def replace(source: Path, target: Path) -> None:
        if len(taken) < 2 and Path(target).parent == space.folder:
            taken.append(Path(target).name)
            shutil.rmtree(space.folder)
        real(source, target)

    monkeypatch.setattr("features.storage.files.os.replace", replace)
    encode(plan_encoding(KEPT, [space]), KEPT, [space], CountingEncoder, unit_texts=UNIT_TEXTS)
    assert taken == ["space.json", "space.json"]
    monkeypatch.undo()
    assert not space.missing(text_keys(KEPT)).any()
    assert len(space.table(text_keys(KEPT))) == len(KEPT)
    assert verify_cache(tmp_path) == []


def test_an_empty_folder_of_a_space_goes_and_one_with_a_card_stays(tmp_path: Path) -> None:
    fill(tmp_path, KEPT)
    (tmp_path / ("0" * 24)).mkdir()
    findings = verify_cache(tmp_path)
    assert [str(finding.path) for finding in findings] == ["0" * 24]
    FeatureStore(tmp_path).space(spec("pooled"), "fake").write_manifest()
    repair(tmp_path, findings)
    assert not (tmp_path / ("0" * 24)).exists()
    assert verify_cache(tmp_path) == []


def test_without_locks_a_folder_under_way_stays_young(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("features.storage.files.fcntl", None)
    monkeypatch.setattr("features.storage.files.REFRESH_SECONDS", 0.01)
    with temporary_folder(tmp_path, "run") as folder:
        os.utime(folder, (0, 0))
        deadline = time.monotonic() + 10
        while folder.stat().st_mtime < 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert time.time() - folder.stat().st_mtime < 60


# Several users


def test_files_are_for_whom_the_umask_lets_in(tmp_path: Path) -> None:
    before = os.umask(0o002)
    try:
        fill(tmp_path, KEPT)
        with exclusive(tmp_path):
            pass
    finally:
        os.umask(before)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 6
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o664"}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_the_use_by_others_counts(tmp_path: Path) -> None:
    fill(tmp_path, KEPT)
    folder = opened(tmp_path).folder
    os.utime(folder / "space.json", (0, 0))
    for place in (*tmp_path.parents, tmp_path, folder):
        if place != Path("/tmp") and len(place.parts) > 2:
            place.chmod(0o777)
    code = (
        "import os, sys; from pathlib import Path; from features.store.manifest import touch;"
        "os.setegid(65534); os.seteuid(65534); touch(Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", code, str(folder)]
    subprocess.run(command, check=True, cwd=REPOSITORY)
    assert (folder / "space.json").stat().st_mtime == 0
    assert time.time() - last_use(folder).timestamp() < 600
    assert plan_collection(tmp_path, None, datetime(2020, 1, 1, tzinfo=UTC)) == []
    assert verify_cache(tmp_path) == []
    removals = plan_collection(tmp_path, None, datetime(2999, 1, 1, tzinfo=UTC))
    collect(tmp_path, removals, None)
    assert not folder.exists()


def test_a_cache_that_may_only_be_read_needs_no_current_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, KEPT)
    opened(tmp_path).drop_index()

    def refuse(*args: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("features.storage.files.os.open", refuse)
        fill(tmp_path, KEPT)
        assert held(tmp_path, KEPT) == len(KEPT)
        with pytest.raises(CacheError):
            fill(tmp_path, LATER)


# Side by side


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Path]:
    """A cache that others fill, compact and collect without a pause."""
    fill(tmp_path, KEPT)
    done = threading.Event()
    keep = text_keys(KEPT)
    failed: list[BaseException] = []

    def work() -> None:
        try:
            while not done.is_set():
                for start in range(0, 24, 6):
                    fill(tmp_path, GONE[start : start + 6])
                compact(opened(tmp_path))
                collect(tmp_path, plan_collection(tmp_path, keep, None), keep)
        except BaseException as error:
            failed.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    yield tmp_path
    done.set()
    worker.join()
    assert failed == []


def test_verify_beside_others_finds_only_what_is_wrong(busy: Path) -> None:
    for _ in range(30):
        kinds = {finding.kind for finding in verify_cache(busy)}
        assert kinds <= {STALE_INDEX}, kinds
        inventory(busy)


def test_the_list_of_a_cache_whose_spaces_vanish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, KEPT)
    real = collection.facts_of

    def vanished(space: Space) -> object:
        shutil.rmtree(space.folder, ignore_errors=True)
        return real(space)

    monkeypatch.setattr("features.store.inventory.facts_of", vanished)
    assert inventory(tmp_path) == []
    fill(tmp_path, KEPT)
    monkeypatch.setattr(collection, "facts_of", vanished)
    assert plan_collection(tmp_path, text_keys(KEPT), None) == []


def test_findings_are_looked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, KEPT)
    stray = opened(tmp_path).folder / "stray"
    stray.touch()
    assert [str(f.path.name) for f in verify_cache(tmp_path)] == ["stray"]
    monkeypatch.setattr(
        verification.time, "sleep", lambda seconds: stray.unlink(missing_ok=True)
    )
    assert verify_cache(tmp_path) == []


@pytest.mark.parametrize("command", ["compact", "collect"])
def test_what_a_killed_process_left_goes_although_nothing_else_is_to_do(
    command: str, tmp_path: Path
) -> None:
    fill(tmp_path, KEPT)
    space = opened(tmp_path)
    compact(space)
    left = space.folder / ".tmp-0123456789abcdef"
    left.write_bytes(b"half a shard")
    if command == "compact":
        compact(space)
    else:
        collect(tmp_path, [], text_keys(KEPT))
    assert not left.exists()
    assert verify_cache(tmp_path) == []
