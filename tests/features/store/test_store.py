"""The store keeps what was committed, finds it again, and notices what is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import CacheError, CorruptShardError, DiskSpaceError
from features.storage import files
from features.store.index import GrowingIndex, Index
from features.store.shards.shard import Shard, ShardRows, digest, serialize
from features.store.space import Space
from features.store.store import FeatureStore
from features.text.keys import text_keys
from features.vectors.block import Block
from features.vectors.spec import FeatureSpec
from tests.support.transformers import WIDTH, CountingEncoder, fake_vectors, spec

TEXTS = ["b is here", "a", "c has four words", "d d", "e e e e e e e e e e"]


def block_of(texts: list[str], of: FeatureSpec) -> Block:
    return CountingEncoder().encode(texts, [of], lambda *_: None)[0]


def filled(root: Path, layout: str = "tokens", texts: list[str] = TEXTS) -> Space:
    space = FeatureStore(root).space(spec(layout))
    space.commit(text_keys(texts), block_of(texts, space.spec))
    return space


def shards(space: Space) -> list[Path]:
    return sorted(space.folder.glob("*.parquet"))


@pytest.mark.parametrize("layout", ["pooled", "tokens"])
def test_round_trip_in_any_order_with_repeats(tmp_path: Path, layout: str) -> None:
    filled(tmp_path, layout, TEXTS[:2])
    filled(tmp_path, layout, TEXTS[2:])
    space = FeatureStore(tmp_path).space(spec(layout))
    order = [TEXTS[i] for i in (4, 0, 0, 3, 1, 2, 4)]
    table = space.table(text_keys(order))
    assert len(table) == len(order)
    for row, text in enumerate(order):
        assert np.array_equal(table.sequence(row), fake_vectors(text, layout, 8))
    assert space.tokens(text_keys(order)).tolist() == [len(t.split()) for t in order]


@settings(max_examples=40)
@given(st.data())
def test_any_shards_any_question(data: st.DataObject) -> None:
    import tempfile

    texts = [f"text {i} " + "w " * (i % 5) for i in range(12)]
    with tempfile.TemporaryDirectory() as folder:
        space = FeatureStore(folder).space(spec("tokens"))
        known: list[str] = []
        for _ in range(data.draw(st.integers(1, 4))):
            some = data.draw(st.lists(st.sampled_from(texts), min_size=1, unique=True))
            space.commit(text_keys(some), block_of(some, space.spec))
            known += some
        reopened = FeatureStore(folder).space(spec("tokens"))
        asked = data.draw(st.lists(st.sampled_from(texts), min_size=1))
        expected = [text not in known for text in asked]
        assert reopened.missing(text_keys(asked)).tolist() == expected
        present = [text for text in asked if text in known]
        table = reopened.table(text_keys(present))
        for row, text in enumerate(present):
            assert np.array_equal(table.sequence(row), fake_vectors(text, "tokens", 8))


def test_a_shard_can_be_read_with_pyarrow_alone(tmp_path: Path) -> None:
    (path,) = shards(filled(tmp_path))
    table = pq.read_table(path)
    assert table.column_names == ["key", "tokens", "length", "vectors"]
    assert path.stem == digest(path.read_bytes())
    vectors = [np.frombuffer(b"".join(row), np.float16) for row in table["vectors"].to_pylist()]
    for text, flat in zip(TEXTS, vectors, strict=True):
        assert np.array_equal(flat.reshape(-1, WIDTH), fake_vectors(text, "tokens", 8))
    written = json.loads(pq.read_schema(path).metadata[b"manyheads.spec"])
    assert FeatureSpec.from_dict(written) == spec("tokens")
    assert json.loads((path.parent / "space.json").read_text())["spec"] == written


def test_mapped_vectors_are_what_parquet_decodes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for layout, lengths in (("pooled", np.ones(3000, np.int32)), ("tokens", None)):
        of = spec(layout, width=96, dtype="float32")
        counts = lengths if lengths is not None else rng.integers(1, 40, 3000).astype(np.int32)
        values = rng.standard_normal((counts.sum(), 96)).astype(np.float32)
        data = serialize(of, text_keys(map(str, range(3000))), Block(counts, counts, values))
        path = tmp_path / f"{digest(data)}.parquet"
        path.write_bytes(data)
        assert np.array_equal(
            Shard(path).vectors(96 * 4).view(np.float32).reshape(-1, 96), values
        )
        column = pq.read_table(path)["vectors"].combine_chunks()
        flat = column.values if layout == "tokens" else column
        decoded = np.frombuffer(flat.buffers()[1], np.float32).reshape(-1, 96)
        assert np.array_equal(decoded, values)


def test_every_flipped_bit_and_every_cut_is_noticed(tmp_path: Path) -> None:
    space = filled(tmp_path)
    (path,) = shards(space)
    sound = path.read_bytes()
    rng = np.random.default_rng(0)
    for position in rng.integers(0, len(sound), 100).tolist():
        flipped = bytearray(sound)
        flipped[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        with pytest.raises(CorruptShardError, match="does not match the digest"):
            space.table(text_keys(TEXTS))
    for length in (0, 1, len(sound) // 2, len(sound) - 1):
        path.write_bytes(sound[:length])
        with pytest.raises(CorruptShardError, match=r"delete that file"):
            space.table(text_keys(TEXTS))


def test_a_deleted_shard_is_missing_again(tmp_path: Path) -> None:
    filled(tmp_path, texts=TEXTS[:2])
    space = filled(tmp_path, texts=TEXTS[2:])
    space.save_index()
    gone = next(
        path for path in shards(space) if len(Shard(path).rows().keys) == len(TEXTS[:2])
    )
    gone.unlink()
    reopened = FeatureStore(tmp_path).space(spec("tokens"))
    assert reopened.missing(text_keys(TEXTS)).tolist() == [True, True, False, False, False]
    assert np.array_equal(
        reopened.table(text_keys(TEXTS[3:4])).values, fake_vectors(TEXTS[3], "tokens", 8)
    )


@pytest.mark.parametrize("harm", ["delete", "garble", "truncate", "stale", "other version"])
def test_the_index_is_only_derived(tmp_path: Path, harm: str) -> None:
    space = filled(tmp_path, texts=TEXTS[:2])
    space.save_index()
    path = space.folder / "index.arrow"
    old = path.read_bytes()
    filled(tmp_path, texts=TEXTS[2:]).save_index()
    assert path.read_bytes() != old
    if harm == "delete":
        path.unlink()
    elif harm == "garble":
        path.write_bytes(old[:-20] + bytes(20))
    elif harm == "truncate":
        path.write_bytes(old[:40])
    elif harm == "other version":
        body = old[32:].replace(b"format", b"tamrof")
        path.write_bytes(digest(body).encode() + body)
    else:
        path.write_bytes(old)
    reopened = FeatureStore(tmp_path).space(spec("tokens"))
    assert not reopened.missing(text_keys(TEXTS)).any()
    reopened.save_index()
    assert len(Index.from_bytes(path.read_bytes()).keys) == len(TEXTS)  # type: ignore[union-attr]


def test_index_from_its_bytes() -> None:
    index = Index.empty()
    for name, texts in (("s1", ["x", "y"]), ("s2", ["y", "z"])):
        counts = np.array([2, 3], np.int32)
        rows = ShardRows(text_keys(texts), counts * 10, counts)
        index = index.joined(Index.of([(name, rows)]))
    again = Index.from_bytes(index.to_bytes())
    assert again is not None
    assert again.shards == ("s1", "s2")
    found = again.find(text_keys(["z", "y", "x", "w"]))
    assert found[3] == -1
    assert again.shard[found[:3]].tolist() == [1, 0, 0]
    assert again.start[found[:3]].tolist() == [2, 2, 0]
    assert again.tokens[found[:3]].tolist() == [30, 30, 20]


def rows_of(keys: list[bytes]) -> ShardRows:
    counts = np.arange(1, len(keys) + 1, dtype=np.int32)
    return ShardRows(np.array(keys, "S16"), counts * 10, counts)


def test_keys_that_begin_alike_are_told_apart() -> None:
    alike = [b"8letters" + bytes([last]) * 8 for last in (9, 3, 7, 200)]
    more = [alike[2], b"\xff" * 16]
    index = Index.of([("s1", rows_of(alike[:2])), ("s2", rows_of(more))])
    assert index.keys.tolist() == sorted([*alike[:2], *more])
    asked = [*alike, b"8letters" + bytes([1]) * 8, b"7" * 16, b"\xff" * 16, b"\x01" * 16]
    found = index.find(np.array(asked, "S16"))
    assert (found < 0).tolist() == [False, False, False, True, True, True, False, True]
    assert index.keys[found[:3]].tolist() == alike[:3]
    joined = index.joined(Index.of([("s3", rows_of([alike[3], alike[0], asked[4]]))]))
    assert joined.keys.tolist() == sorted([*alike, b"\xff" * 16, asked[4]])
    position = joined.find(np.array(asked[:5], "S16"))
    assert joined.shard[position].tolist() == [0, 0, 1, 2, 2]


def test_indexes_are_alike_whatever_the_order_of_their_shards() -> None:
    shards = [("s1", rows_of([b"b", b"d"])), ("s2", rows_of([b"c", b"a"]))]
    index = Index.of(shards)
    assert index.alike(Index.of(shards[::-1]))
    assert Index.empty().alike(Index.empty())
    assert not index.alike(Index.of(shards[:1]))
    for name in ("start", "length", "tokens", "keys", "shard"):
        other = Index.of(shards)
        changed = getattr(other, name).copy()
        changed[1] = changed[0]
        assert not index.alike(replace(other, **{name: changed})), name
    assert not index.alike(replace(index, texts=(2, 3)))


@given(st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=8, unique=True), max_size=30))
def test_a_growing_index_is_that_of_all_its_shards(shards: list[list[int]]) -> None:
    keys = [text_keys(map(str, numbers)).tolist() for numbers in shards]
    growing = GrowingIndex(Index.empty(), max_recent=6)
    for number, some in enumerate(keys):
        growing.add([(f"s{number}", rows_of(some))])
        known = {key for part in keys[: number + 1] for key in part}
        asked = text_keys(map(str, range(42)))
        assert growing.missing(asked).tolist() == [key not in known for key in asked.tolist()]
    names = tuple(f"s{number}" for number in range(len(shards)))
    assert growing.names == set(names)
    assert growing.whole.shards == names
    whole = Index.of([(f"s{number}", rows_of(some)) for number, some in enumerate(keys)])
    assert growing.whole.to_bytes() == whole.to_bytes()


@pytest.mark.parametrize("failing", ["open", "fsync", "replace", "full"])
def test_a_failed_write_leaves_nothing_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    filled(tmp_path, texts=TEXTS[:2])
    space = FeatureStore(tmp_path).space(spec("tokens"))
    before = sorted(path.name for path in space.folder.iterdir())

    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(28 if failing == "full" else 5, "refused")

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync" if failing == "full" else failing, refuse)
        kind = DiskSpaceError if failing == "full" else CacheError
        with pytest.raises(kind, match="choose another"):
            space.commit(text_keys(TEXTS[2:]), block_of(TEXTS[2:], space.spec))
    assert sorted(path.name for path in space.folder.iterdir()) == before
    reopened = FeatureStore(tmp_path).space(spec("tokens"))
    assert reopened.missing(text_keys(TEXTS)).tolist() == [False, False, True, True, True]


def test_a_folder_that_cannot_be_written_is_named_first(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CacheError, match=r"cannot be written.*--cache"):
        FeatureStore(tmp_path / "file" / "cache").prepare()


def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    space = filled(tmp_path)
    (space.folder / "notes.txt").write_text("mine")
    (space.folder / ".tmp-1-2").write_bytes(b"half a shard")
    assert not FeatureStore(tmp_path).space(spec("tokens")).missing(text_keys(TEXTS)).any()


def test_the_same_shard_twice_is_one_file(tmp_path: Path) -> None:
    space = filled(tmp_path)
    assert space.commit(text_keys(TEXTS), block_of(TEXTS, space.spec)) is False
    assert len(shards(space)) == 1
