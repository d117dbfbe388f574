"""Compact and collect tidy without losing anything, whoever reads or dies meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from features.encoding.plan import plan_encoding
from features.encoding.serial import encode
from features.errors import CacheError
from features.storage import files
from features.store import compaction
from features.store.collection import collect, plan_collection
from features.store.compaction import compact
from features.store.inventory import inventory
from features.store.space import Space
from features.store.store import FeatureStore
from features.store.verification import STALE_INDEX, verify_cache
from features.text.keys import text_keys
from features.vectors.block import Block
from features.vectors.spec import FeatureSpec
from tests.support.encoders import CountingEncoder, fake_vectors, spec

TEXTS = [f"text number {i} " + "word " * (i % 7) for i in range(40)]


def opened(root: Path, layout: str = "tokens", dtype: str = "float16") -> Space:
    return FeatureStore(root).space(spec(layout, dtype=dtype), "fake")


def fill(root: Path, layout: str = "tokens", texts: list[str] = TEXTS) -> CountingEncoder:
    encoder, space = CountingEncoder(), opened(root, layout)
    encode(plan_encoding(texts, [space]), texts, [space], lambda: encoder, unit_texts=8)
    return encoder


def assert_holds(space: Space, texts: list[str] = TEXTS) -> None:
    table = space.table(text_keys(texts))
    for row, text in enumerate(texts):
        assert np.array_equal(table.sequence(row), fake_vectors(text, space.spec.layout, 8))
    assert space.tokens(text_keys(texts)).tolist() == [len(text.split()) for text in texts]


def shards(root: Path) -> list[Path]:
    return sorted(root.glob("*/*.parquet"))


@pytest.mark.parametrize("layout", ["pooled", "tokens"])
def test_compact_joins_and_readers_survive(tmp_path: Path, layout: str) -> None:
    fill(tmp_path, layout)
    reader = opened(tmp_path, layout)
    done = compact(opened(tmp_path, layout))
    assert (done.shards_before, done.shards_after, done.repeats) == (5, 1, 0)
    assert len(shards(tmp_path)) == 1
    assert_holds(reader)
    assert_holds(opened(tmp_path, layout))
    assert fill(tmp_path, layout).seen == []
    assert verify_cache(tmp_path) == []
    assert compact(opened(tmp_path, layout)).shards_after == 1


def test_a_shard_that_vanished_is_one_line(tmp_path: Path) -> None:
    fill(tmp_path)
    space = opened(tmp_path)
    shards(tmp_path)[0].unlink()
    with pytest.raises(CacheError, match="vanished"):
        compaction.rewrite(space, list(space.index.shards), np.ones(len(space), bool))


def test_compact_keeps_to_the_target_and_leaves_large_shards_alone(tmp_path: Path) -> None:
    fill(tmp_path)
    sizes = [path.stat().st_size for path in shards(tmp_path)]
    done = compact(opened(tmp_path), target=2 * max(sizes) + 1)
    assert done.shards_after == 3
    assert_holds(opened(tmp_path))
    assert compact(opened(tmp_path), target=max(sizes)).shards_after == 3


def test_texts_stored_twice_are_stored_once_afterwards(tmp_path: Path) -> None:
    space = opened(tmp_path)
    for some in (TEXTS[:8], TEXTS[4:12], TEXTS[8:16]):
        (block,) = CountingEncoder().encode(some, [space.spec], lambda *_: None)
        space.commit(text_keys(some), block)
    done = compact(opened(tmp_path))
    assert (done.shards_before, done.shards_after, done.repeats) == (3, 1, 8)
    assert opened(tmp_path).index.texts == (16,)
    assert_holds(opened(tmp_path), TEXTS[:16])


@pytest.mark.parametrize("name", ["open", "write", "fsync", "replace"])
def test_compact_dies_at_every_call_and_loses_nothing(tmp_path: Path, name: str) -> None:
    class Died(BaseException):
        """Nobody catches it, as nobody catches a kill."""

    real, k = getattr(os, name), 0
    while True:
        k += 1
        root, count = tmp_path / str(k), 0
        fill(root)

        def call(*args, kth=k, **kwargs):  # type: ignore[no-untyped-def]
            nonlocal count
            count += 1
            if count == kth:
                raise Died
            return real(*args, **kwargs)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files.os, name, call)
            try:
                compact(opened(root))
                break
            except Died:
                pass
        assert {finding.kind for finding in verify_cache(root)} <= {STALE_INDEX}
        assert_holds(opened(root))
        assert fill(root).seen == []
        compact(opened(root))
        assert sum(opened(root).index.texts) == len(TEXTS)
        assert_holds(opened(root))
    assert k > 2


def test_a_kill_before_the_old_shards_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path)
    reader = opened(tmp_path)
    monkeypatch.setattr(Path, "unlink", lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        compact(opened(tmp_path))
    monkeypatch.undo()
    assert len(shards(tmp_path)) == 6
    reader.refresh()  # knows both now
    assert_holds(reader)
    assert compact(opened(tmp_path)).shards_after == 1
    assert_holds(reader)
    assert verify_cache(tmp_path) == []


def test_a_reader_gives_up_on_shards_that_keep_vanishing(tmp_path: Path) -> None:
    fill(tmp_path)
    reader = opened(tmp_path)
    for path in shards(tmp_path):
        path.unlink()
    with pytest.raises(CacheError, match=r"40 of 40 texts have no vectors.*run again"):
        reader.table(text_keys(TEXTS))


def test_collect_keeps_what_the_data_sets_need(tmp_path: Path) -> None:
    fill(tmp_path, "tokens")
    fill(tmp_path, "pooled", TEXTS[:16])
    keep = np.unique(text_keys(TEXTS[4:20]))
    removals = plan_collection(tmp_path, keep, None)
    assert {(r.space.manifest.spec.layout, r.texts) for r in removals} == {
        ("tokens", 24),
        ("pooled", 4),
    }
    before = [path.read_bytes() for path in shards(tmp_path)]
    assert before == [path.read_bytes() for path in shards(tmp_path)], "a plan touches nothing"
    reader = opened(tmp_path)
    collect(tmp_path, removals, keep)
    assert_holds(reader, TEXTS[4:20])
    for layout, texts in (("tokens", TEXTS[4:20]), ("pooled", TEXTS[4:16])):
        assert len(opened(tmp_path, layout)) == len(texts)
        assert_holds(opened(tmp_path, layout), texts)
    assert verify_cache(tmp_path) == []
    assert plan_collection(tmp_path, keep, None) == []
    assert fill(tmp_path).seen == TEXTS[:4] + TEXTS[20:]


def test_collect_removes_spaces_that_nobody_used_for_long(tmp_path: Path) -> None:
    fill(tmp_path, "tokens")
    fill(tmp_path, "pooled")
    old = opened(tmp_path, "pooled").folder
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    os.utime(old / "space.json", (long_ago.timestamp(),) * 2)
    facts = inventory(tmp_path)
    assert [f.manifest.spec.layout for f in facts] == ["tokens", "pooled"]
    assert facts[1].last_use == long_ago
    assert (facts[0].texts, facts[0].shards, facts[0].manifest.model) == (40, 5, "fake")
    (removal,) = plan_collection(tmp_path, None, long_ago + timedelta(days=1))
    assert removal.whole
    collect(tmp_path, [removal], None)
    assert not old.exists()
    assert [f.manifest.spec.layout for f in inventory(tmp_path)] == ["tokens"]
    assert_holds(opened(tmp_path))
    assert datetime.now(UTC) - inventory(tmp_path)[0].last_use < timedelta(minutes=5)


def test_collect_leaves_a_space_that_was_used_since_the_plan(tmp_path: Path) -> None:
    fill(tmp_path)
    manifest = opened(tmp_path).folder / "space.json"
    os.utime(manifest, (0, 0))
    removals = plan_collection(tmp_path, None, datetime(2020, 1, 1, tzinfo=UTC))
    assert [removal.whole for removal in removals] == [True]
    opened(tmp_path).table(text_keys(TEXTS))
    collect(tmp_path, removals, None)
    assert_holds(opened(tmp_path))


def test_a_space_that_is_being_filled_is_in_use_at_every_commit(tmp_path: Path) -> None:
    space = opened(tmp_path)
    manifest, ages = space.folder / "space.json", []

    class Slow(CountingEncoder):
        def _block(self, texts: Sequence[str], spec: FeatureSpec) -> Block:
            if manifest.exists():  # from the second unit on
                ages.append(time.time() - manifest.stat().st_mtime)
                os.utime(manifest, (0, 0))
            return super()._block(texts, spec)

    encode(plan_encoding(TEXTS, [space]), TEXTS, [space], Slow, unit_texts=8)
    assert len(ages) == 4
    assert max(ages) < 60


def test_int8_shards_are_joined_bit_for_bit(tmp_path: Path) -> None:
    space = opened(tmp_path, dtype="int8")
    rng = np.random.default_rng(0)
    for start in range(0, 40, 8):
        some = TEXTS[start : start + 8]
        (block,) = CountingEncoder().encode(some, [space.spec], lambda *_: None)
        block.values[:] = rng.standard_normal(block.values.shape)
        space.commit(text_keys(some), block)
    before = space.table(text_keys(TEXTS)).values
    compact(opened(tmp_path, dtype="int8"))
    assert np.array_equal(space.table(text_keys(TEXTS)).values, before)


def test_the_target_bounds_memory() -> None:
    assert compaction.TARGET_BYTES <= 256 * 2**20


@pytest.mark.parametrize("layout", ["pooled", "tokens"])
def test_a_corpus_of_many_short_texts_is_joined_too(tmp_path: Path, layout: str) -> None:
    """Arrow cuts pages by rows as well as by size; a shard must stay in one."""
    texts = [f"{i} " + "w " * (i % 60) for i in range(40_000)]
    space = FeatureStore(tmp_path).space(spec(layout, max_length=99), "fake")
    encode(plan_encoding(texts, [space]), texts, [space], CountingEncoder)
    done = compact(FeatureStore(tmp_path).space(space.spec))
    assert (done.shards_before, done.shards_after) == (20, 3)
    table = space.table(text_keys(texts))
    for row in range(0, 40_000, 999):
        assert np.array_equal(table.sequence(row), fake_vectors(texts[row], layout, 99))


def test_writers_readers_and_compactions_side_by_side(tmp_path: Path) -> None:
    """Two processes encode the same texts while a third joins shards and this one reads."""
    texts = [f"text number {i} " + "word " * (i % 7) for i in range(600)]
    children = []
    for role in ("write", "write", "compact"):
        command = [sys.executable, "-c", SIDE_BY_SIDE, role, str(tmp_path)]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        children.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE))
    reader, read = opened(tmp_path), 0
    while any(child.poll() is None for child in children[:2]):
        reader.refresh()
        some = [text for text in texts[::7] if not reader.missing(text_keys([text]))[0]]
        if some:
            assert_holds(reader, some)
            read += 1
    (tmp_path / "stop").touch()
    for child in children:
        _, err = child.communicate(timeout=60)
        assert child.returncode == 0, err.decode()
    compactions = int((tmp_path / "stop").read_text())
    (tmp_path / "stop").unlink()
    print(f"{read} reads and {compactions} compactions meanwhile")
    assert min(read, compactions) >= 1
    compact(opened(tmp_path))
    assert verify_cache(tmp_path) == []
    assert len(opened(tmp_path)) == len(texts)
    assert_holds(reader, texts)


def test_a_listing_older_than_a_compaction_is_followed_by_another(tmp_path: Path) -> None:
    texts = [f"text number {i}" for i in range(40)]
    reader, writer = (FeatureStore(tmp_path).space(spec("tokens")) for _ in range(2))
    encode(plan_encoding(texts, [writer]), texts, [writer], CountingEncoder, unit_texts=8)
    early = writer.shard_names()
    compact(writer)
    assert not early & writer.shard_names()
    listings = iter([early])
    real = reader.shard_names
    reader.shard_names = lambda: next(listings, None) or real()  # type: ignore[method-assign]
    assert reader.refresh()
    assert_holds(reader, texts)


REPOSITORY = Path(__file__).resolve().parents[3]
SIDE_BY_SIDE = """
import sys, time
from pathlib import Path
from features.store.compaction import compact
from features.encoding.serial import encode
from features.encoding.plan import plan_encoding
from features.store.store import FeatureStore
from tests.support.encoders import CountingEncoder, spec

role, root = sys.argv[1], Path(sys.argv[2])
space = FeatureStore(root).space(spec("tokens"), "fake")
if role == "write":
    class Slow(CountingEncoder):
        def encode(self, texts, specs, on_batch):
            time.sleep(0.02)
            return super().encode(texts, specs, on_batch)

    texts = [f"text number {i} " + "word " * (i % 7) for i in range(600)]
    encode(plan_encoding(texts, [space]), texts, [space], Slow, unit_texts=5)
else:
    joined = 0
    while not (root / "stop").exists():
        space.refresh()
        if len(space.index.shards) > 5:
            compact(space)
            joined += 1
        time.sleep(0.02)
    (root / "stop").write_text(str(joined))
"""
