"""One shard: an immutable Parquet file of vectors, named by the digest of its bytes.

Columns, one row per text:

    key      fixed_size_binary(16)   BLAKE2b-128 of the text's UTF-8 bytes
    tokens   int32                   tokens of the whole text, before truncation
    length   int32                   vectors stored for it
    vectors  fixed_size_binary(bytes per vector), in a list in the sequence layouts

The spec stands as JSON in the file's metadata under ``manyheads.spec``, and beside it the
digest of the first three columns, so that these can be read and checked without the vectors.
The vectors are opaque to Parquet and written without compression, dictionary or statistics as
one PLAIN data page, so their bytes lie in the file in one piece. A reader takes them by memory
map without decoding; any Parquet reader can decode them too. A file of another physical layout
is refused (``footer``).
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from features.arrow import column, values_of
from features.errors import CorruptShardError
from features.storage.files import Content, Ranges
from features.storage.location import Location
from features.storage.storage import storage_of
from features.store.shards.footer import ROWS_METADATA, SPEC_METADATA, Footer, footer_size
from features.text.keys import KEY_BYTES
from features.vectors.block import Block
from features.vectors.precision import pack
from features.vectors.spec import FeatureSpec
from features.vectors.table import POOLED

SUFFIX = ".parquet"
NAME = re.compile(r"[0-9a-f]{32}")
MAX_TEXTS = 16_384
"""Maximum texts per shard: Arrow begins a new page at 20,000 rows, whatever their size."""

TAIL_BYTES = 64 * 2**10
"""Bytes of a shard's end that are read first; usually more than its footer."""


@dataclass(frozen=True, eq=False)
class ShardRows:
    """The rows of a shard without vectors: keys, tokens and lengths, each (n,)."""

    keys: np.ndarray
    tokens: np.ndarray
    lengths: np.ndarray

    @property
    def digest(self) -> str:
        """Return 32 hexadecimal digits of the XXH3-128 of keys, tokens and lengths."""
        whole = xxhash.xxh3_128()
        for values, kind in ((self.keys, None), (self.tokens, "<i4"), (self.lengths, "<i4")):
            whole.update(np.ascontiguousarray(values, kind).view(np.uint8).data)
        return whole.hexdigest()


@dataclass(frozen=True, eq=False)
class StoredRows:
    """The rows of a shard with their vectors in stored form.

    Attributes:
        rows: keys, tokens and lengths.
        vectors: (sum of lengths,) void, each item the bytes of one vector.
    """

    rows: ShardRows
    vectors: np.ndarray


def serialize(spec: FeatureSpec, keys: np.ndarray, block: Block) -> bytes:
    """Return the bytes of a shard.

    Args:
        spec: what determines the vectors.
        keys: (n,) ``S16``, in the order of the block.
        block: the vectors of the n texts.
    """
    rows = ShardRows(keys, block.tokens, block.lengths)
    return serialize_stored(spec, StoredRows(rows, pack(block.values, spec.dtype)))


def serialize_stored(spec: FeatureSpec, stored: StoredRows) -> bytes:
    """Return the bytes of a shard, from vectors that are in stored form already."""
    keys, values = stored.rows.keys, np.ascontiguousarray(stored.vectors)
    raw = values.data.cast("B")
    tokens, lengths = (
        each.astype(np.int32) for each in (stored.rows.tokens, stored.rows.lengths)
    )
    vectors = column(values)
    if spec.layout != POOLED:
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        vectors = pa.ListArray.from_arrays(column(offsets), vectors)
    table = pa.table(
        {
            "key": column(keys),
            "tokens": column(tokens),
            "length": column(lengths),
            "vectors": vectors,
        }
    ).replace_schema_metadata(
        {SPEC_METADATA: spec.to_json(), ROWS_METADATA: stored.rows.digest}
    )
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
    # Every reader relies on this, so it is checked once, before writing.
    start = Footer.of(view, len(view)).columns[3].values(view)
    if view[start : start + len(raw)] != raw:
        raise CorruptShardError("Parquet did not write the vectors in one piece")
    return data


def digest(data: bytes | memoryview | mmap.mmap) -> str:
    """Return 32 hexadecimal digits of the XXH3-128 of a shard's bytes.

    It protects against accidents, at memory speed on every read; it is not a signature.
    """
    return xxhash.xxh3_128_hexdigest(data)


class Shard:
    """A shard, memory-mapped and checked against the digest in its name.

    A shard on object storage is downloaded once, and the local copy is mapped.

    Args:
        path: the shard.
        at_source: whether to read the shard itself, without using or making a local copy.

    Raises:
        CorruptShardError: the bytes do not match the name, or are not a shard of this format.
        FileNotFoundError: it was removed, by a compaction or by hand.
        RemoteError: it cannot be downloaded.
    """

    def __init__(self, path: Location, at_source: bool = False) -> None:
        self.path = path
        self._bytes = _content(path, at_source)
        with _explained(path):
            view = memoryview(self._bytes)
            self._footer = Footer.of(view, len(view))
            self._start = self._footer.columns[3].values(view)

    @property
    def mapped(self) -> bool:
        """Whether the bytes are memory-mapped from a file, so that they take no memory."""
        return isinstance(self._bytes, mmap.mmap)

    def spec(self) -> FeatureSpec:
        """Return the spec from its metadata."""
        return self._footer.spec

    def rows(self) -> ShardRows:
        """Return keys, tokens and lengths of its texts."""
        with _explained(self.path):
            return _rows(memoryview(self._bytes), self._footer)

    def vectors(self, width: int) -> np.ndarray:
        """Return all vectors: a read-only (rows,) view of raw bytes, void of ``width`` bytes
        each.
        """
        count = self._footer.columns[3].count
        return np.frombuffer(self._bytes, f"V{width}", count=count, offset=self._start)

    def check_lists(self) -> None:
        """Check that the lists, which other readers use, agree with the lengths.

        Raises:
            CorruptShardError: they do not agree.
        """
        if self.spec().layout == POOLED:
            return
        with _explained(self.path):
            # Without threads of its own: readers are threads already, and a process that ends
            # while Arrow's still start is aborted.
            with pq.ParquetFile(pa.BufferReader(self._bytes)) as file:
                table = file.read(["vectors"], use_threads=False)
            lists = table["vectors"].combine_chunks()
            if not np.array_equal(np.diff(values_of(lists.offsets)), self.rows().lengths):
                raise ValueError("holds lists of other lengths than it says")


def read_rows(path: Location) -> tuple[FeatureSpec, ShardRows]:
    """Read the spec and the rows of a shard, without its vectors.

    The rows are checked against their own digest. A shard of an older version has none and is
    read and checked completely.

    Raises:
        CorruptShardError, FileNotFoundError, RemoteError: like ``Shard``.
    """
    with _explained(path):
        spec, rows = storage_of(path.parent).parse(path.name, _parsed)
    if rows is None:
        shard = Shard(path)
        return shard.spec(), shard.rows()
    return spec, rows


def _parsed(file: Ranges) -> tuple[FeatureSpec, ShardRows | None]:
    """Return spec and rows from parts of a file; no rows if these have no digest of their own.

    Raises:
        ValueError: the file is not a shard, or damaged.
    """
    size = file.size()
    start = max(0, size - TAIL_BYTES)
    tail = memoryview(file.read_at(size - start, start))
    if len(tail) < min(size, footer_size(tail)):
        start = max(0, size - footer_size(tail))
        tail = memoryview(file.read_at(size - start, start))
    footer = Footer.of(tail, size)
    if not footer.rows_digest:
        return footer.spec, None
    # The vectors follow the other columns.
    data = tail if not start else memoryview(file.read_at(footer.columns[3].start, 0))
    return footer.spec, _rows(data, footer)


def _rows(data: memoryview, footer: Footer) -> ShardRows:
    """Return keys, tokens and lengths, copied. Raises ``ValueError`` if they do not agree."""
    key, tokens, length, vectors = footer.columns
    rows = ShardRows(
        *(
            np.frombuffer(data, kind, count=column.count, offset=column.values(data)).copy()
            for column, kind in ((key, f"S{KEY_BYTES}"), (tokens, "<i4"), (length, "<i4"))
        )
    )
    if footer.rows_digest and rows.digest != footer.rows_digest:
        raise ValueError("does not match the digest of its rows")
    if not len(rows.keys) == len(rows.tokens) == len(rows.lengths):
        raise ValueError("holds columns of different lengths")
    most = 1 if footer.spec.layout == POOLED else vectors.count
    fitting = (rows.lengths >= 1) & (rows.lengths <= most)
    if rows.lengths.sum(dtype=np.int64) != vectors.count or not fitting.all():
        raise ValueError("holds another number of vectors than its lengths say")
    return rows


def _content(path: Location, at_source: bool) -> Content:
    """Return the bytes of a shard after checking the digest in its name."""
    with _explained(path):
        return storage_of(path.parent).content(path.name, partial(_check, path), at_source)


def _check(path: Location, data: Content) -> None:
    if digest(data) != path.name.removesuffix(SUFFIX):
        raise CorruptShardError(_corrupt(path, "does not match the digest in its name"))


@contextmanager
def _explained(path: Location) -> Iterator[None]:
    """Turn the errors of reading a shard into a ``CorruptShardError``.

    A ``FileNotFoundError`` is left to the caller.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise CorruptShardError(_corrupt(path, f"cannot be read ({error})")) from error
    except (ValueError, pa.ArrowException) as error:
        raise CorruptShardError(_corrupt(path, str(error))) from error


def _corrupt(path: Location, finding: str) -> str:
    return (
        f"the shard {path} {finding}; run 'manyheads verify --fix' on this cache, or delete "
        "that file: its texts are encoded again on the next run, nothing else is lost"
    )
