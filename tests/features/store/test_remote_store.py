"""A cache on object storage keeps every promise of one here, against a server on loopback."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.encoding.plan import plan_encoding
from features.errors import CacheError, CorruptShardError, RemoteError
from features.storage import bucket, lease
from features.storage.location import Location, parse_location
from features.storage.mirror import mirror_folder
from features.storage.remote import RemotePath
from features.storage.storage import exclusive
from features.store.compaction import compact
from features.store.shards.shard import SUFFIX
from features.store.store import FeatureStore
from features.store.verification import STALE_INDEX, Fault, repair, verify_cache
from features.text.keys import text_keys
from features.vectors.block import Block
from tests.support.cli import Command, Run
from tests.support.drivers.s3_driver import SPECS, TEXTS, UNIT_TEXTS, fill
from tests.support.encoders import fake_vectors, spec
from tests.support.s3 import S3Server
from tests.support.transformers import save_bert

CACHE = "s3://bucket/deep/cache"
ROOT = parse_location(CACHE)
REPOSITORY = Path(__file__).resolve().parents[3]
SHARDS = len(SPECS) * len(TEXTS) // UNIT_TEXTS


@pytest.fixture
def full(s3: S3Server) -> S3Server:
    """A server with a filled cache, looked at from a machine that has no copies yet."""
    fill(CACHE)
    another_machine()
    s3.requests.clear()
    return s3


def another_machine() -> None:
    shutil.rmtree(mirror_folder(), ignore_errors=True)


def shards(s3: S3Server) -> list[str]:
    names = s3.names("bucket/deep/cache/")
    return [n for n in names if n.endswith(SUFFIX) and "/quarantine/" not in n]


def assert_whole(root: str | Location = CACHE) -> None:
    for one in SPECS:
        space = FeatureStore(root).space(one)
        table = space.table(plan_encoding(TEXTS, [space]).keys)
        for row, text in enumerate(TEXTS):
            assert np.array_equal(table.sequence(row), fake_vectors(text, one.layout, 8))


def kinds(findings: list[Fault]) -> set[str]:
    return {finding.kind for finding in findings}


def test_the_same_shards_as_on_the_disk(full: S3Server, tmp_path: Path) -> None:
    fill(str(tmp_path / "cache"))
    here = {path.name: path.read_bytes() for path in tmp_path.glob(f"cache/*/*{SUFFIX}")}
    there = {name.rpartition("/")[2]: full.objects[name] for name in shards(full)}
    assert here == there
    assert len(there) == SHARDS
    assert_whole()
    assert verify_cache(ROOT) == []
    assert fill(CACHE).seen == []


def test_a_shard_is_fetched_once_and_then_mapped(full: S3Server) -> None:
    def fetched() -> int:
        gets = [one for one in full.requests if one.startswith("GET") and SUFFIX in one]
        full.requests.clear()
        return len(gets)

    assert_whole()
    assert fetched() == SHARDS
    assert_whole()
    assert fetched() == 0
    another_machine()
    fill(CACHE)
    assert fetched() == 0, "the index is enough to see that nothing is missing"


def test_the_writer_need_not_fetch_what_it_wrote(s3: S3Server) -> None:
    fill(CACHE)
    s3.requests.clear()
    assert_whole()
    assert not [one for one in s3.requests if one.startswith("GET") and SUFFIX in one]


def test_a_damaged_copy_is_fetched_again(full: S3Server) -> None:
    assert_whole()
    for number, copy in enumerate(sorted(mirror_folder().glob(f"*/*{SUFFIX}"))):
        data = copy.read_bytes()
        copy.write_bytes(data[:-1] if number % 2 else data[:50] + b"?" + data[51:])
    assert_whole()
    assert verify_cache(ROOT) == []


def test_without_room_for_copies_it_goes_on(
    full: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert_whole()


def test_a_table_beyond_memory_is_read_from_a_file_here(full: S3Server) -> None:
    space = FeatureStore(CACHE).space(SPECS[1])
    keys = text_keys(TEXTS)
    assert np.array_equal(space.table(keys, memory=0).values, space.table(keys).values)


def flip(s3: S3Server, rng: random.Random) -> None:
    name = rng.choice(shards(s3))
    data = bytearray(s3.objects[name])
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    s3.put(name, bytes(data))


def truncate(s3: S3Server, rng: random.Random) -> None:
    name = rng.choice(shards(s3))
    data = s3.objects[name]
    s3.put(name, data[: rng.choice([0, 1, rng.randrange(len(data)), len(data) - 1])])


def exchange(s3: S3Server, rng: random.Random) -> None:
    one, other = rng.sample(shards(s3), 2)
    s3.objects[one], s3.objects[other] = s3.objects[other], s3.objects[one]


@pytest.mark.parametrize("harm", [flip, truncate, exchange])
@pytest.mark.parametrize("seed", range(2))
def test_harmed_objects_are_never_served_and_mended(
    full: S3Server, harm: Callable[[S3Server, random.Random], None], seed: int
) -> None:
    assert_whole()
    harm(full, random.Random(seed))
    assert_whole()  # of the copies, which are sound
    found = verify_cache(ROOT)
    assert kinds(found) == {"corrupt shard"}, "verify looks at the objects, not at copies"
    another_machine()
    with pytest.raises(CorruptShardError, match=r"the shard s3://bucket.*verify --fix"):
        assert_whole()
    moved = repair(ROOT, found)
    assert len(moved) == len(found)
    assert all(str(path).startswith(f"{CACHE}/quarantine/") and path.exists() for path in moved)
    fill(CACHE)
    assert_whole()
    assert verify_cache(ROOT) == []


def test_everything_else_that_verify_finds(full: S3Server) -> None:
    folders = sorted({name.rpartition("/")[0] for name in shards(full)})
    gone = shards(full)[0]
    index = full.objects[f"{folders[1]}/index.arrow"]
    del full.objects[gone]
    full.put(f"{folders[0]}/notes.txt", b"mine")
    full.put(f"{folders[1]}/index.arrow", index[:-5])
    full.put(f"{folders[1]}/space.json", b"{}")
    full.put(f"{folders[0]}/" + folders[1][-5:] + SUFFIX, b"no shard")
    found = verify_cache(ROOT)
    assert kinds(found) == {"deleted shard", "foreign file", "bad index", "bad space.json"}
    repair(ROOT, found)
    assert verify_cache(ROOT) == []
    seen = fill(CACHE).seen
    assert len(seen) == UNIT_TEXTS, "just what the deleted shard held"
    assert_whole()


def test_compact_and_a_reader_that_looked_before(full: S3Server) -> None:
    before = FeatureStore(CACHE).space(SPECS[1])
    done = compact(FeatureStore(CACHE).space(SPECS[1]))
    assert (done.shards_before, done.shards_after) == (len(TEXTS) // UNIT_TEXTS, 1)
    another_machine()
    assert len(before.table(text_keys(TEXTS))) == len(TEXTS)
    assert verify_cache(ROOT) == []
    copies = {copy.name for copy in mirror_folder().glob(f"*/*{SUFFIX}")}
    assert copies <= {name.rpartition("/")[2] for name in shards(full)}
    assert not full.names("bucket/deep/cache/.maintenance")


def test_only_one_tidies(full: S3Server) -> None:
    with exclusive(ROOT), pytest.raises(CacheError, match="another process is tidying"):
        compact(FeatureStore(CACHE).space(SPECS[0]))
    compact(FeatureStore(CACHE).space(SPECS[0]))
    dead = "bucket/deep/cache/.maintenance-0123"
    full.put(dead, b"")
    with pytest.raises(CacheError), exclusive(ROOT):
        pass
    full.changed[dead] -= 2 * lease.EXPIRE_SECONDS
    with exclusive(ROOT):
        pass
    assert not full.names("bucket/deep/cache/.maintenance")


def test_a_holder_renews_its_mark(s3: S3Server) -> None:
    assert isinstance(ROOT, RemotePath)
    with lease.lease(ROOT, ".maintenance", renew_seconds=0.01):
        puts = lambda: [one for one in s3.requests if one.startswith("PUT")]  # noqa: E731
        deadline = time.monotonic() + 10
        while len(puts()) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(puts()) >= 4


def test_copies_leave_some_of_the_disk_free(
    full: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("features.storage.mirror.SPARE_BYTES", 2**60)
    space = FeatureStore(CACHE).space(SPECS[0])
    assert len(space.table(text_keys(TEXTS))) == len(TEXTS)
    assert not list(mirror_folder().rglob(f"*{SUFFIX}"))


def test_use_is_noted(full: S3Server) -> None:
    space = FeatureStore(CACHE).space(SPECS[0])
    manifest = f"bucket/deep/cache/{SPECS[0].fingerprint}/space.json"
    before = full.objects[manifest]
    full.changed[manifest] -= 30 * 24 * 3600
    space.table(text_keys(TEXTS))
    assert time.time() - full.changed[manifest] < 60
    assert full.objects[manifest] == before
    full.requests.clear()
    space.table(text_keys(TEXTS))
    assert not [one for one in full.requests if one.startswith("PUT")]


def test_a_server_that_fails_from_any_request_on(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever fails first: one clear line, nothing torn, and the rest the next time."""
    monkeypatch.setattr(bucket, "ATTEMPTS", 1)
    fill(CACHE)
    straight, count = sorted(shards(s3)), len(s3.requests)
    rng = random.Random(0)
    for answer in (500, -1) * 4:
        s3.clear()
        another_machine()
        left = rng.randrange(count)

        def fail(method: str, target: str, answer: int = answer, left: int = left) -> int:
            return answer if len(s3.requests) > left else 0

        s3.fault = fail
        with pytest.raises(RemoteError, match=r"server (failed|cannot be reached)"):
            fill(CACHE)
        s3.fault = lambda method, target: 0
        assert kinds(verify_cache(ROOT)) <= {STALE_INDEX}
        fill(CACHE)
        assert sorted(shards(s3)) == straight
        assert_whole()


def test_a_large_shard_whose_upload_breaks_is_not_seen(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket, "ATTEMPTS", 1)
    wide = spec(width=2**20, dtype="float32")
    values = np.random.default_rng(0).random((8, wide.width), np.float32)
    ones = np.ones(8, np.int32)
    keys = text_keys(map(str, range(8)))
    space = FeatureStore(CACHE).space(wide)
    for answer in (500, -1):
        s3.fault = lambda method, target: answer if "partNumber=2" in target else 0  # noqa: B023
        with pytest.raises(RemoteError):
            space.commit(keys, Block(ones, ones, values))
        assert shards(s3) == []
        assert FeatureStore(CACHE).space(wide).missing(keys).all()
    s3.fault = lambda method, target: 0
    space.commit(keys, Block(ones, ones, values))
    another_machine()
    again = FeatureStore(CACHE).space(wide).table(keys)
    assert np.array_equal(again.values, values)


def start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.drivers.s3_driver", CACHE], cwd=REPOSITORY
    )


@pytest.mark.parametrize("kept", [0, 5])
def test_a_writer_killed_in_the_middle_of_a_put(s3: S3Server, kept: int) -> None:
    fill(CACHE)
    straight = {name: s3.objects[name] for name in shards(s3)}
    s3.clear()
    another_machine()
    started: list[subprocess.Popen[bytes]] = []

    def kill(method: str, target: str) -> int:
        if method == "PUT" and SUFFIX in target and len(shards(s3)) == kept:
            os.kill(started[0].pid, signal.SIGKILL)
            return -1
        return 0

    s3.fault = kill
    started.append(start())
    assert started[0].wait(60) == -signal.SIGKILL
    s3.fault = lambda method, target: 0
    assert len(shards(s3)) == kept
    assert kinds(verify_cache(ROOT)) <= {STALE_INDEX}
    fill(CACHE)
    assert {name: s3.objects[name] for name in shards(s3)} == straight
    assert verify_cache(ROOT) == []


def test_two_processes_side_by_side(s3: S3Server) -> None:
    both = [start(), start()]
    assert [one.wait(60) for one in both] == [0, 0]
    assert verify_cache(ROOT) == [] or kinds(verify_cache(ROOT)) == {STALE_INDEX}
    assert fill(CACHE).seen == []
    assert_whole()
    assert verify_cache(ROOT) == []


def test_the_commands(s3: S3Server, tmp_path: Path, command: Command) -> None:
    def run(*arguments: object) -> dict[str, Any]:
        return command(*arguments, "--cache", CACHE)

    texts = [f"the {'cat' if i % 2 else 'dog'} sat {i} times" for i in range(40)]
    rows = ["text,label", *(f"{text},{text.split()[1]}" for text in texts)]
    s3.put("bucket/data.csv", "\n".join(rows).encode())
    s3.put("bucket/half.csv", "\n".join(rows[:20]).encode())
    encoder = ("--encoder", save_bert(tmp_path / "model"), "--data", "s3://bucket/data.csv")
    trained = run("train", *encoder)
    config = json.loads((Path(str(trained["run"])) / "config.json").read_text())
    assert config["vectors"]["cache"] == CACHE
    assert config["data"]["data"] == "s3://bucket/data.csv"
    run("predict", "--text", "the cat sat")
    exported = run("export", *encoder, "--out", "vectors.npy")
    assert (exported["encoded"], len(np.load("vectors.npy"))) == (0, 40)
    listed = run("cache")
    assert (listed["cache"], len(listed["spaces"])) == (CACHE, 1)
    report = run("verify", *encoder, "--sample", "5")
    assert (report["findings"], report["compared"]) == ([], 5)
    run("compact")
    assert run("collect", "--data", "s3://bucket/half.csv", "--yes")["removed"] is True
    run("collect", "--older-than", "2999-01-01", "--yes")
    assert s3.names("bucket/deep/cache/") == []
    assert list(mirror_folder().rglob("*.parquet")) == []


@pytest.mark.parametrize("name", ["features", "cache", "verify", "compact"])
def test_what_goes_wrong_is_one_line(s3: S3Server, run: Run, name: str) -> None:
    done = run(name, "--cache", "s3://nowhere/cache")
    assert "s3://nowhere" in done.refusal
    assert [line for line in done.err.splitlines() if "plan:" not in line] == [done.refusal]
    s3.fault = lambda method, target: 403
    refused = run(name, "--cache", CACHE).refusal
    assert "access denied; set AWS_ACCESS_KEY_ID" in refused
