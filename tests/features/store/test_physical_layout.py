"""A shard of another physical layout is refused in one line, never misread."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import CorruptShardError
from features.store.compaction import compact
from features.store.shards.footer import ROWS_METADATA, SPEC_METADATA
from features.store.shards.shard import Shard, digest, read_rows
from features.store.space import Space
from features.store.store import FeatureStore
from features.store.verification import CORRUPT_SHARD, repair, verify_cache
from features.text.keys import text_keys
from tests.support.encoders import CountingEncoder, fake_vectors, spec

TEXTS = [f"text number {i} " + "word " * (i % 7) for i in range(40)]
SAME = {
    "compression": "none",
    "use_dictionary": False,
    "write_statistics": False,
    "data_page_size": 2**31 - 1,
    "write_batch_size": 10**6,
    "data_page_version": "1.0",
}
OTHER: dict[str, dict[str, Any]] = {
    "row groups": {"row_group_size": 7},
    "pages": {"data_page_size": 100, "write_batch_size": 4},
    "pages of version 2": {"data_page_version": "2.0"},
    "many pages of version 2": {
        "data_page_version": "2.0",
        "data_page_size": 100,
        "write_batch_size": 4,
    },
    "zstd": {"compression": "zstd"},
    "snappy": {"compression": "snappy"},
    "compressed vectors": {"compression": {"vectors": "zstd", "vectors.list.element": "zstd"}},
    "dictionary": {"use_dictionary": True},
    "split bytes": {
        "column_encoding": {
            "key": "BYTE_STREAM_SPLIT",
            "vectors": "BYTE_STREAM_SPLIT",
            "vectors.list.element": "BYTE_STREAM_SPLIT",
        }
    },
    "delta": {"column_encoding": {"tokens": "DELTA_BINARY_PACKED"}},
}
FINE: dict[str, dict[str, Any]] = {
    "as it was": {},
    "statistics": {"write_statistics": True},
    "checksums": {"write_page_checksum": True},
    "page index": {"write_page_index": True, "write_statistics": True},
}


def filled(root: Path, layout: str) -> Space:
    space = FeatureStore(root).space(spec(layout), "fake")
    (block,) = CountingEncoder().encode(TEXTS, [space.spec], lambda *_: None)
    space.commit(text_keys(TEXTS), block)
    return space


def replaced(space: Space, change: Callable[[pa.Table], pa.Table], **options: Any) -> Path:
    """The only shard, written anew and named by its right digest; no index knows it."""
    (old,) = space.folder.glob("*.parquet")
    table = pq.read_table(old)
    sink = io.BytesIO()
    known = {"key", "tokens", "length", "vectors", "vectors.list.element"}
    nested = not pa.types.is_fixed_size_binary(table.schema.field("vectors").type)
    known -= {"vectors"} if nested else {"vectors.list.element"}
    for name in ("compression", "column_encoding"):
        if isinstance(options.get(name), dict):
            options[name] = {k: v for k, v in options[name].items() if k in known}
    pq.write_table(change(table), sink, **{**SAME, **options})
    old.unlink()
    path = space.folder / f"{digest(sink.getvalue())}.parquet"
    path.write_bytes(sink.getvalue())
    return path


def assert_refused_and_mended(root: Path, of: Space, path: Path) -> None:
    with pytest.raises(CorruptShardError, match=r"verify --fix") as caught:
        FeatureStore(root).space(of.spec).table(text_keys(TEXTS))
    assert "\n" not in str(caught.value)
    with pytest.raises(CorruptShardError):
        compact(FeatureStore(root).space(of.spec))
    findings = verify_cache(root)
    assert (CORRUPT_SHARD, path.relative_to(root)) in {(f.kind, f.path) for f in findings}
    assert [position.name for position in repair(root, findings)] == [path.name]
    assert verify_cache(root) == []
    assert FeatureStore(root).space(of.spec).missing(text_keys(TEXTS)).all()


@pytest.mark.parametrize("layout", ["pooled", "tokens"])
@pytest.mark.parametrize("name", OTHER)
def test_another_layout_is_refused(tmp_path: Path, layout: str, name: str) -> None:
    space = filled(tmp_path, layout)
    path = replaced(space, lambda table: table, **OTHER[name])
    assert_refused_and_mended(tmp_path, space, path)


@pytest.mark.parametrize("layout", ["pooled", "tokens"])
@pytest.mark.parametrize("name", FINE)
def test_the_same_layout_by_another_hand_is_read(
    tmp_path: Path, layout: str, name: str
) -> None:
    space = filled(tmp_path, layout)
    replaced(space, lambda table: table, **FINE[name])
    table = FeatureStore(tmp_path).space(space.spec).table(text_keys(TEXTS))
    for row, text in enumerate(TEXTS):
        assert np.array_equal(table.sequence(row), fake_vectors(text, layout, 8))


def other_order(table: pa.Table) -> pa.Table:
    return table.select(["tokens", "key", "length", "vectors"])


def one_more(table: pa.Table) -> pa.Table:
    return table.append_column("more", table["tokens"])


def wide_numbers(table: pa.Table) -> pa.Table:
    return table.set_column(1, "tokens", table["tokens"].cast(pa.int64()))


def nulls(table: pa.Table) -> pa.Table:
    values = table["vectors"].to_pylist()
    column = pa.array([None, *values[1:]], table.schema.field("vectors").type)
    return table.set_column(3, "vectors", column)


def without_vectors(table: pa.Table) -> pa.Table:
    return table.drop_columns(["vectors"])


def wrong_lengths(table: pa.Table) -> pa.Table:
    lengths = table["length"].to_numpy().copy()
    lengths[0] += 1
    lengths[-1] -= 1
    return table.set_column(2, "length", pa.array(lengths, pa.int32()))


def no_digest(change: Callable[[pa.Table], pa.Table]) -> Callable[[pa.Table], pa.Table]:
    """As older versions and other writers do it: no digest of the rows."""

    def changed(table: pa.Table) -> pa.Table:
        return change(table).replace_schema_metadata(
            {SPEC_METADATA: table.schema.metadata[SPEC_METADATA]}
        )

    return changed


@pytest.mark.parametrize("layout", ["pooled", "tokens"])
@pytest.mark.parametrize(
    "change",
    [other_order, one_more, wide_numbers, nulls, without_vectors, wrong_lengths],
    ids=lambda change: change.__name__,
)
def test_other_columns_are_refused(
    tmp_path: Path, layout: str, change: Callable[[pa.Table], pa.Table]
) -> None:
    if change is wrong_lengths and layout == "tokens":
        pytest.skip("only verify can tell: see below")
    space = filled(tmp_path, layout)
    path = replaced(space, no_digest(change))
    assert_refused_and_mended(tmp_path, space, path)


def test_lists_that_contradict_the_lengths_are_found(tmp_path: Path) -> None:
    space = filled(tmp_path, "tokens")
    path = replaced(space, no_digest(wrong_lengths))
    kinds = {(f.kind, f.path) for f in verify_cache(tmp_path)}
    assert (CORRUPT_SHARD, path.relative_to(tmp_path)) in kinds


@pytest.mark.parametrize("spec_bytes", [b"", b"{}", b"[" * 5000, b'{"layers": 1}'])
def test_a_shard_without_a_readable_spec(tmp_path: Path, spec_bytes: bytes) -> None:
    space = filled(tmp_path, "pooled")
    path = replaced(space, lambda t: t.replace_schema_metadata({SPEC_METADATA: spec_bytes}))
    assert_refused_and_mended(tmp_path, space, path)


@pytest.mark.parametrize("layout", ["pooled", "tokens"])
def test_rows_are_read_and_checked_without_the_vectors(tmp_path: Path, layout: str) -> None:
    """Any flipped bit is noticed, or changes nothing that is taken from the shard."""
    space = filled(tmp_path, layout)
    (path,) = space.folder.glob("*.parquet")
    sound, whole = path.read_bytes(), Shard(path).rows()
    noticed = 0
    for position in range(len(sound)):
        data = bytearray(sound)
        data[position] ^= 1 << position % 8
        path.write_bytes(data)
        try:
            of, rows = read_rows(path)
        except CorruptShardError:
            noticed += 1
            continue
        if of == space.spec:  # else the space refuses it
            for name in ("keys", "tokens", "lengths"):
                assert np.array_equal(getattr(rows, name), getattr(whole, name)), position
    assert noticed > 1000


def test_shards_of_older_versions_are_read_whole(tmp_path: Path) -> None:
    space = filled(tmp_path, "tokens")
    path = replaced(space, no_digest(lambda table: table))
    assert ROWS_METADATA not in pq.read_metadata(path).metadata
    assert not FeatureStore(tmp_path).space(space.spec).missing(text_keys(TEXTS)).any()
    end = pq.read_metadata(path).row_group(0).column(3).data_page_offset
    data = bytearray(path.read_bytes())
    data[end + 100] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptShardError, match="does not match the digest in its name"):
        read_rows(path)
