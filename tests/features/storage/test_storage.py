"""A disk and a bucket keep the same promises: each test runs on both."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from features.errors import CacheError
from features.storage.files import Content, Ranges
from features.storage.location import Location, parse_location
from features.storage.mirror import mirror_folder
from features.storage.storage import Storage, exclusive, storage_of
from tests.support.s3 import S3Server


@pytest.fixture(params=["disk", "bucket"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    if request.param == "disk":
        return tmp_path / "deep" / "cache"
    request.getfixturevalue("s3")
    return parse_location("s3://bucket/deep/cache")


@pytest.fixture
def storage(folder: Location) -> Storage:
    return storage_of(folder)


def sound(data: Content) -> None:
    """Accept the bytes ``sound`` only."""
    if bytes(data) != b"sound":
        raise CacheError("damaged")


def test_a_file_is_put_into_a_folder_that_is_missing_read_and_removed(
    storage: Storage, folder: Location
) -> None:
    storage.put("one", b"1")
    storage.put("two", b"22")
    storage.put("two", b"222")
    assert sorted(storage.names()) == ["one", "two"]
    assert (storage.read("one"), storage.read("two"), storage.size()) == (b"1", b"222", 4)
    storage.remove(["one", "gone before"])
    assert storage.names() == ["two"]
    with pytest.raises(FileNotFoundError):
        storage.read("one")
    assert (folder / "two").is_file()


def test_without_a_folder_there_is_nothing(storage: Storage) -> None:
    with pytest.raises(FileNotFoundError):
        storage.names()
    assert (storage.size(), storage.abandoned(), storage.sweep()) == (0, [], 0)
    assert storage.free_bytes() > 0
    with pytest.raises(FileNotFoundError):
        storage.touch("one")
    with pytest.raises(FileNotFoundError):
        storage.content("one", sound)
    with pytest.raises(FileNotFoundError):
        storage.parse("one", Ranges.size)


def test_a_file_moves_into_a_folder_that_is_missing(storage: Storage, folder: Location) -> None:
    storage.put("one", b"1")
    storage.move("one", "away/one")
    assert storage_of(folder / "away").read("one") == b"1"
    assert not (folder / "one").exists()


def test_a_folder_goes_only_when_it_is_empty(storage: Storage, folder: Location) -> None:
    storage.put("one", b"1")
    with pytest.raises(OSError, match="not empty"):
        storage.remove_folder()
    storage.remove(["one"])
    storage.remove_folder()
    if storage.empty_folders:
        assert not folder.exists()
    else:  # the server may keep a marker of it
        assert storage.names() == []


@pytest.mark.parametrize("at_source", [True, False])
def test_damaged_content_is_never_returned(storage: Storage, at_source: bool) -> None:
    storage.put("file", b"sound", copy=True)
    assert bytes(storage.content("file", sound, at_source)) == b"sound"
    storage.put("file", b"other", copy=True)
    with pytest.raises(CacheError, match="damaged"):
        storage.content("file", sound, at_source)


def test_parts_of_a_file(storage: Storage) -> None:
    storage.put("file", bytes(range(100)))
    parts = storage.parse("file", lambda file: (file.size(), bytes(file.read_at(3, 50))))
    assert parts == (100, bytes([50, 51, 52]))
    assert storage.parse("file", lambda file: bytes(file.read_at(9, 98))) == bytes([98, 99])


def test_a_damaged_copy_does_not_hide_the_file(s3: S3Server) -> None:
    storage = storage_of(parse_location("s3://bucket/deep/cache"))
    storage.put("file", b"sound", copy=True)
    (copy,) = mirror_folder().glob("*/file")

    def parser(file: Ranges) -> bytes:
        data = bytes(file.read_at(5, 0))
        if data != b"sound":
            raise ValueError("damaged")
        return data

    copy.write_bytes(b"other")
    assert storage.parse("file", parser) == b"sound"
    assert bytes(storage.content("file", sound)) == b"sound"
    assert copy.read_bytes() == b"sound"
    storage.evict("file")
    assert not copy.exists()
    assert bytes(storage.content("file", sound, at_source=True)) == b"sound"
    assert not copy.exists()


def test_one_process_holds_the_lock(storage: Storage, folder: Location) -> None:
    storage.prepare()
    storage.put("one", b"1")
    other = pytest.raises(CacheError, match="another process is tidying")
    with exclusive(folder), other, exclusive(folder):
        pass
    with storage.lock("mine") as alone, storage.lock("mine") as second:
        assert alone
        assert not second
    with exclusive(folder):
        pass


def test_preparing_leaves_nothing(storage: Storage) -> None:
    storage.prepare()
    storage.put("one", b"1")
    assert storage.names() == ["one"]
    assert not storage.abandoned(lambda name: name.startswith("."))


def test_what_is_known_of_a_missing_file(tmp_path: Path, s3: S3Server) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert "symbolic link" in storage_of(tmp_path).why_missing("link")
    assert storage_of(tmp_path).why_missing("file") == ""
    there, nowhere = parse_location("s3://bucket/a"), parse_location("s3://nowhere/a")
    assert storage_of(there).why_missing("file") == ""
    assert storage_of(nowhere).why_missing("file") == "no such bucket 'nowhere'; check the name"
    assert storage_of(there).free_bytes() == math.inf
