"""One shard: an immutable Parquet file of vectors, named by the digest of its bytes.

Columns, one row a text:

    key      fixed_size_binary(16)   BLAKE2b-128 of the text's UTF-8 bytes
    tokens   int32                   tokens of the whole text, before truncation
    length   int32                   vectors stored for it
    vectors  fixed_size_binary(bytes a vector), in a list in the sequence layouts

The spec stands as JSON in the file's metadata under ``manyheads.spec``. The vectors are
opaque to Parquet and written without compression, dictionary or statistics as one PLAIN
data page, so their bytes lie in the file in one piece. A reader takes them by memory map
without decoding; any Parquet reader can decode them too.
"""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from features.errors import CorruptShardError, SettingError
from features.mirror import copy_of, keep_copy
from features.place import Place
from features.precision import pack
from features.remote import RemotePath
from features.spec import KEY_BYTES, FeatureSpec
from features.table import POOLED

SUFFIX = ".parquet"
NAME = re.compile(r"[0-9a-f]{32}")
MOST_TEXTS = 16_384
"""Texts a shard at the most: Arrow begins a new page at 20,000 rows, whatever its size."""

Content = bytes | mmap.mmap

SPEC_METADATA = b"manyheads.spec"


@dataclass(frozen=True, eq=False)
class Block:
    """Vectors of n texts in order: what an encoder gives and a shard holds.

    Attributes:
        tokens: (n,) int32, tokens of each whole text, before truncation.
        lengths: (n,) int32, vectors of each text.
        values: (sum of lengths, D) of ``precision.encoder_dtype``: the stored type, or
            float32 for int8.
    """

    tokens: np.ndarray
    lengths: np.ndarray
    values: np.ndarray

    def take(self, rows: np.ndarray) -> Block:
        """The block of some rows only, in the order given."""
        starts = np.cumsum(self.lengths) - self.lengths
        lengths = self.lengths[rows]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        picked = np.repeat(starts[rows], lengths) + within
        return Block(self.tokens[rows], lengths, self.values[picked])

    @classmethod
    def joined(cls, blocks: Sequence[Block]) -> Block:
        """Return one block of several, at least one, in the order given."""
        parts = zip(*((b.tokens, b.lengths, b.values) for b in blocks), strict=True)
        return cls(*(np.concatenate(same) for same in parts))


@dataclass(frozen=True, eq=False)
class ShardRows:
    """What a shard says of its texts, without the vectors: keys, tokens, lengths, each (n,)."""

    keys: np.ndarray
    tokens: np.ndarray
    lengths: np.ndarray


@dataclass(frozen=True, eq=False)
class StoredRows:
    """What a shard holds of n texts, in its stored form.

    Attributes:
        rows: keys, tokens and lengths.
        vectors: (sum of lengths,) void, one item the bytes of one vector.
    """

    rows: ShardRows
    vectors: np.ndarray


def serialize(spec: FeatureSpec, keys: np.ndarray, block: Block) -> bytes:
    """The bytes of a shard. ``keys`` is (n,) ``S16``; the block holds the same n texts."""
    rows = ShardRows(keys, block.tokens, block.lengths)
    return serialize_stored(spec, StoredRows(rows, pack(block.values, spec.dtype)))


def serialize_stored(spec: FeatureSpec, stored: StoredRows) -> bytes:
    """The bytes of a shard, of vectors that stand in their stored form already."""
    width = spec.bytes_per_vector
    keys, values = stored.rows.keys, np.ascontiguousarray(stored.vectors)
    raw = values.data.cast("B")
    vectors = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(width), len(values), [None, pa.py_buffer(raw)]
    )
    if spec.layout != POOLED:
        offsets = np.concatenate([[0], np.cumsum(stored.rows.lengths)])
        vectors = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), vectors)
    key_array = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(KEY_BYTES), len(keys), [None, pa.py_buffer(np.ascontiguousarray(keys))]
    )
    table = pa.table(
        {
            "key": key_array,
            "tokens": pa.array(stored.rows.tokens, pa.int32()),
            "length": pa.array(stored.rows.lengths, pa.int32()),
            "vectors": vectors,
        }
    ).replace_schema_metadata({SPEC_METADATA: spec.to_json()})
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        row_group_size=max(1, len(keys)),
        compression="none",
        use_dictionary=False,
        write_statistics=False,
        data_page_size=2**31 - 1,
        write_batch_size=max(1, len(values)),
        data_page_version="1.0",
    )
    data: bytes = sink.getvalue().to_pybytes()
    view = memoryview(data)
    start, _ = _vectors_place(view, width)
    # The promise on which every reader relies, checked once, while the vectors are at hand.
    if view[start : start + len(raw)] != raw:
        raise CorruptShardError("Parquet did not write the vectors in one piece")
    return data


def digest(data: bytes | memoryview | mmap.mmap) -> str:
    """32 hexadecimal digits of the XXH3-128 of a shard's bytes.

    It guards against accidents, at memory speed on every read; it is not a signature.
    """
    return xxhash.xxh3_128_hexdigest(data)


class Shard:
    """A shard, mapped into memory and checked against the digest in its name.

    One on object storage is fetched once and its local copy mapped.

    Args:
        at_source: look at the shard itself, not at a local copy, and keep none.

    Raises:
        CorruptShardError: the bytes do not match the name, or are no shard of this format.
        FileNotFoundError: it was removed, by a compaction or by hand.
        RemoteError: it cannot be fetched.
    """

    def __init__(self, path: Place, at_source: bool = False) -> None:
        self.path = path
        self._bytes = _content(path, at_source)

    def rows(self) -> ShardRows:
        """Keys, tokens and lengths of its texts."""
        columns = ["key", "tokens", "length"]
        try:
            table = pq.read_table(pa.BufferReader(self._bytes), columns=columns)
        except (pa.ArrowException, OSError) as error:
            raise CorruptShardError(
                _corrupt(self.path, "is no shard of this project")
            ) from error
        if table.column_names != columns or table.schema.field("key").type != pa.binary(
            KEY_BYTES
        ):
            raise CorruptShardError(_corrupt(self.path, "lacks the columns of a shard"))
        keys = table["key"].combine_chunks()
        raw = np.frombuffer(keys.buffers()[1], dtype=f"S{KEY_BYTES}")
        start = keys.offset
        return ShardRows(
            raw[start : start + len(keys)],
            table["tokens"].to_numpy(),
            table["length"].to_numpy(),
        )

    def spec(self) -> FeatureSpec:
        """The spec that its metadata holds."""
        try:
            metadata = pq.read_schema(pa.BufferReader(self._bytes)).metadata or {}
            return FeatureSpec.from_dict(json.loads(metadata[SPEC_METADATA]))
        except (pa.ArrowException, OSError, LookupError, ValueError, SettingError) as error:
            raise CorruptShardError(_corrupt(self.path, "holds no feature spec")) from error

    def vectors(self, width: int) -> np.ndarray:
        """All vectors, not copied: a read-only (rows,) view of raw bytes, void of ``width``."""
        start, rows = _vectors_place(memoryview(self._bytes), width)
        return np.frombuffer(self._bytes, dtype=f"V{width}", count=rows, offset=start)


def _content(path: Place, at_source: bool) -> Content:
    """The bytes of a shard, which match the digest in its name."""
    if not isinstance(path, RemotePath):
        return _checked(path, _mapped(path))
    if at_source:
        return _checked(path, path.read_bytes())
    copy = copy_of(path)
    with suppress(FileNotFoundError, CorruptShardError):
        return _checked(copy, _mapped(copy))
    data = path.read_bytes()
    _checked(path, data)
    keep_copy(path, data)
    return data


def _mapped(path: Path) -> mmap.mmap:
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise CorruptShardError(_corrupt(path, f"cannot be read ({error})")) from error


def _checked(path: Place, data: Content) -> Content:
    if digest(data) != path.name.removesuffix(SUFFIX):
        raise CorruptShardError(_corrupt(path, "does not match the digest in its name"))
    return data


def _vectors_place(data: memoryview, width: int) -> tuple[int, int]:
    """Where the vectors begin and how many they are.

    They are the last bytes of the last column's only page: behind them in the page stands
    nothing, before them only its header and, in the sequence layouts, the list's levels.
    """
    column = pq.read_metadata(pa.BufferReader(data)).row_group(0).column(3)
    rows = int(column.num_values)
    return int(column.data_page_offset + column.total_compressed_size - rows * width), rows


def _corrupt(path: Place, finding: str) -> str:
    return (
        f"the shard {path} {finding}; run 'manyheads verify --fix' on this cache, or delete "
        "that file: its texts are encoded again on the next run, nothing else is lost"
    )
