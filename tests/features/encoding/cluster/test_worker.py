"""A worker of a cluster, without Ray: it commits what it is told is missing, and says what."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.encoding.cluster.worker import Done, Loaded, Worker
from features.encoding.units import WorkUnit
from features.errors import CacheError, EncoderError
from features.store.space import Space, missing_by_space
from features.store.store import FeatureStore
from features.store.writer import SpaceWriter
from features.text.keys import text_keys
from tests.support.encoders import CountingEncoder, spec

TEXTS = [f"text number {i}" for i in range(10)]


def fake(device: str) -> CountingEncoder:
    assert device == "cpu"
    return CountingEncoder()


def refused(device: str) -> CountingEncoder:
    raise EncoderError(f"no encoder on {device}")


def spaces(root: Path) -> list[Space]:
    opened = [FeatureStore(root).space(spec(layout), "fake") for layout in ("pooled", "tokens")]
    for space in opened:
        space.write_manifest()
    return opened


def worker(root: Path, load: object = fake) -> Worker:
    places = [(space.folder, space.spec, space.model) for space in spaces(root)]
    return Worker(places, load, "cpu", 1)  # type: ignore[arg-type]


def unit(texts: list[str]) -> WorkUnit:
    return WorkUnit(np.arange(len(texts)), text_keys(texts), texts)


def test_a_unit_is_one_shard_per_space_and_the_driver_learns_of_it(tmp_path: Path) -> None:
    own = worker(tmp_path)
    assert isinstance(own.load(), Loaded)
    driver = spaces(tmp_path)
    both = unit(TEXTS)
    done = own.encode(both, missing_by_space(both.keys, driver))
    assert isinstance(done, Done)
    assert (done.result.encoded, done.result.commits, done.result.shared) == (10, 1, False)
    assert done.began <= done.ended
    for space, shards in zip(driver, done.shards, strict=True):
        assert not len(space)
        space.adopt(shards)
        space.adopt(shards)  # once more: nothing changes
        assert [name for name, _ in shards] == list(space.shard_names())
        fresh = Space(space.folder, space.spec)
        for name in ("keys", "shard", "start", "length", "tokens"):
            assert np.array_equal(getattr(space.index, name), getattr(fresh.index, name))
        assert np.array_equal(space.table(both.keys).values, fresh.table(both.keys).values)


def test_only_what_is_missing_from_a_space_is_committed_there(tmp_path: Path) -> None:
    own = worker(tmp_path)
    own.load()
    missing = np.ones((10, 2), bool)
    missing[:4, 0] = False
    done = own.encode(unit(TEXTS), missing)
    assert isinstance(done, Done)
    counts = [sum(len(rows.keys) for _, rows in shards) for shards in done.shards]
    assert counts == [6, 10]
    again = own.encode(unit(TEXTS), np.ones((10, 2), bool))
    assert isinstance(again, Done)
    assert again.result.encoded == 10, "it does not look into the cache"
    assert again.result.shared is False


def test_a_restarted_worker_loads_its_encoder_when_it_is_given_a_unit(tmp_path: Path) -> None:
    done = worker(tmp_path).encode(unit(TEXTS), np.ones((10, 2), bool))
    assert isinstance(done, Done)
    assert done.result.encoded == 10
    assert isinstance(worker(tmp_path, refused).encode(unit(TEXTS), np.ones(1)), EncoderError)


def test_errors_of_the_project_are_answers(tmp_path: Path) -> None:
    answer = worker(tmp_path, refused).load()
    assert isinstance(answer, EncoderError)
    assert "no encoder on cpu" in str(answer)


def test_a_machine_that_does_not_see_the_cache_says_so(tmp_path: Path) -> None:
    own = worker(tmp_path / "cache")
    (tmp_path / "cache").rename(tmp_path / "elsewhere")
    answer = own.load()
    assert isinstance(answer, CacheError)
    assert "does not see the cache folder" in str(answer)
    assert not (tmp_path / "cache").exists(), "and does not make one of its own"


def test_a_writer_reads_nothing_of_what_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = worker(tmp_path)
    first.load()
    first.encode(unit(TEXTS), np.ones((10, 2), bool))
    (space, _) = spaces(tmp_path)
    space.save_index()

    def no_look(*arguments: object) -> None:
        raise AssertionError("it looked")

    monkeypatch.setattr(Space, "_look", no_look)
    monkeypatch.setattr(Space, "_saved_index", no_look)
    writer = SpaceWriter(space.folder, space.spec)
    assert writer.missing(text_keys(TEXTS)).all()
    assert not writer.refresh()
    assert len(writer) == 0
