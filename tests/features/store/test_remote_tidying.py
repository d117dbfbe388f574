"""On object storage: keys without their vectors, and nothing removed that others just put."""

from __future__ import annotations

import shutil
from contextlib import suppress

import numpy as np
import pytest

from features.storage.location import parse_location
from features.storage.mirror import mirror_folder
from features.storage.remote import RemotePath
from features.store.shards.shard import SUFFIX
from features.store.store import FeatureStore
from features.store.verification import verify_cache
from features.text.keys import text_keys
from features.vectors.block import Block
from tests.support.drivers.s3_driver import SPECS, TEXTS, fill
from tests.support.encoders import spec
from tests.support.s3 import S3Server

CACHE = "s3://bucket/deep/cache"
ROOT = parse_location(CACHE)


@pytest.fixture
def full(s3: S3Server) -> S3Server:
    """A server with a filled cache."""
    fill(CACHE)
    return s3


def test_keys_of_what_others_wrote_are_read_without_their_vectors(s3: S3Server) -> None:
    wide = spec(width=50_000, dtype="float32")
    keys = text_keys(map(str, range(16)))
    block = Block(*np.ones((2, 16), np.int32), np.ones((16, wide.width), np.float32))
    beside = FeatureStore(CACHE).space(wide)
    FeatureStore(CACHE).space(wide).commit(keys, block)
    shutil.rmtree(mirror_folder())
    sent: list[int] = []
    s3.on_data = sent.append
    assert beside.refresh()
    assert not beside.missing(keys).any()
    assert sum(sent) < block.values.nbytes / 20
    assert not list(mirror_folder().rglob(f"*{SUFFIX}"))
    assert len(beside.table(keys)) == 16
    assert sum(sent) > block.values.nbytes


def test_a_folder_that_holds_something_is_not_removed(s3: S3Server) -> None:
    folder = ROOT / "folder"
    assert isinstance(folder, RemotePath)
    (folder / "shard").write_bytes(b"committed at this moment")
    with pytest.raises(OSError, match="not empty"):
        folder.rmdir()

    def put_between(method: str, target: str) -> int:
        if not s3.names("bucket/deep/cache/folder/"):
            s3.put("bucket/deep/cache/folder/late", b"committed at this moment")
        return 0

    (folder / "shard").unlink()
    s3.fault = put_between
    with suppress(OSError):
        folder.rmdir()
    assert s3.names("bucket/deep/cache/folder/") == ["bucket/deep/cache/folder/late"]


def test_what_is_put_into_a_folder_that_is_moved_stays(s3: S3Server) -> None:
    folder, target = ROOT / "folder", ROOT / "target"
    assert isinstance(folder, RemotePath)
    assert isinstance(target, RemotePath)
    (folder / "one").write_bytes(b"1")
    copied: list[str] = []

    def put_between(method: str, target: str) -> int:
        if method == "DELETE" and not copied:
            copied.append(target)
            s3.put("bucket/deep/cache/folder/late", b"2")
        return 0

    s3.fault = put_between
    folder.replace(target)
    assert copied
    assert s3.names("bucket/deep/cache/") == [
        "bucket/deep/cache/folder/late",
        "bucket/deep/cache/target/one",
    ]


def test_keys_that_may_only_read_need_no_current_index(full: S3Server) -> None:
    index = [name for name in full.objects if name.endswith("index.arrow")]
    for name in index:
        del full.objects[name]
    full.fault = lambda method, target: 403 if method in ("PUT", "DELETE") else 0
    assert fill(CACHE).seen == []
    for one in SPECS:
        assert len(FeatureStore(CACHE).space(one).table(text_keys(TEXTS))) == len(TEXTS)
    assert not set(index) & set(full.objects)


def test_what_a_killed_writer_tried_the_cache_with_is_swept(full: S3Server) -> None:
    probe = "bucket/deep/cache/.probe-01234567"
    full.put(probe, b"")
    assert verify_cache(ROOT) == [], "its writer may be alive"
    full.changed[probe] -= 2 * 24 * 3600
    assert [finding.kind for finding in verify_cache(ROOT)] == ["stale temporary"]
    FeatureStore(CACHE).prepare()
    assert verify_cache(ROOT) == []
