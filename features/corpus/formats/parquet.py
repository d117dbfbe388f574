"""Parquet as rows: one file, or a folder of files that are parts of one table.

Parts are read one after the other, by name. Folders ``key=value`` (as Spark, pandas and
DuckDB write partitions) give a column ``key`` with one value for all rows below them.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import IO, Any
from urllib.parse import unquote

from features.corpus.rows import ColumnRequest, RowBatch, check_columns
from features.corpus.signatures import HEAD_BYTES, foreign
from features.corpus.source import Source
from features.corpus.streams import SUFFIXES, check_file, is_gzipped, open_bytes, suffix_of
from features.errors import CorpusError
from features.storage.location import Location

SUFFIX, MAGIC = ".parquet", b"PAR"
HIDDEN = ("_", ".")
"""Beginnings of names that are no parts: marks, checksums, and what editors leave."""

MISSING = "__HIVE_DEFAULT_PARTITION__"
AGAIN = "write or download it again"

Parts = dict[Location, dict[str, str | None]]
"""Files, each with the cells that its folders give to all of its rows."""


def parts_of(folder: Location) -> Parts:
    """Return the parts of a table by name; none where the folder is not one.

    It is one if it holds Parquet and no other data file, or folders ``key=value``. Beside
    other folders, which may hold more of it or something else, it is none.
    """
    entries = _shown(folder)
    if any(suffix_of(entry) in SUFFIXES and suffix_of(entry) != SUFFIX for entry in entries):
        return {}
    parts: Parts = {}
    for entry in entries:
        if entry.is_dir():
            key, equals, value = entry.name.partition("=")
            if not (equals and key):
                return {}
            own = {unquote(key): None if value == MISSING else unquote(value)}
            inner = parts_of(entry)
            if not inner and _shown(entry):
                return {}
            parts |= {file: own | cells for file, cells in inner.items()}
        elif suffix_of(entry) == SUFFIX:
            parts[entry] = {}
    return parts


def _shown(folder: Location) -> list[Location]:
    """Return what lies in a folder, by name, hidden entries left out."""
    entries = (entry for entry in folder.iterdir() if not entry.name.startswith(HIDDEN))
    return sorted(entries, key=lambda entry: entry.name)


def parquet_parts(
    parts: Parts, wanted: Sequence[ColumnRequest], size: int
) -> Iterator[RowBatch]:
    """Rows of all parts, counted through from the first to the last."""
    first = 1
    for file, cells in parts.items():
        check_file(file)
        for batch in parquet(file, wanted, size, cells):
            yield replace(batch, first=first)
            first += batch.size


def parquet(
    path: Location,
    wanted: Sequence[ColumnRequest],
    size: int,
    constant: dict[str, str | None] | None = None,
) -> Iterator[RowBatch]:
    """Rows of one file, a few row groups in memory at a time.

    Args:
        constant: cells of all rows, for columns that the file itself lacks.
    """
    # pyarrow is slow to import, and no other format needs it.
    import pyarrow.parquet as pq

    constant = constant or {}
    with _seekable(path) as stream, sound(path, "corrupt or no Parquet"):
        head = stream.read(HEAD_BYTES)
        if not head:
            raise CorpusError(f"{path}: the file is empty; write the Parquet file again")
        if not head.startswith(MAGIC) and (meaning := foreign(head)):
            raise CorpusError(f"{path}: no Parquet: {meaning}")
        file = pq.ParquetFile(stream, page_checksum_verification=True)
        schema = file.schema_arrow
        check_columns(path, [*schema.names, *(constant.keys() - set(schema.names))], wanted)
        names = [w.name for w in wanted if w.name in schema.names]
        for name in names:
            check_arrow_type(path, name, schema.field(name).type)
        given = [w.name for w in wanted if w.name in constant and w.name not in names]
        first = 1
        for batch in file.iter_batches(batch_size=size, columns=names):
            cells = {name: arrow_cells(path, name, batch.column(name), first) for name in names}
            cells |= {name: [constant[name]] * batch.num_rows for name in given}
            yield RowBatch(first, None, cells, batch.num_rows)
            first += batch.num_rows


@contextmanager
def sound(path: Source, what: str) -> Iterator[None]:
    """Turn whatever pyarrow raises over damaged or odd data into a CorpusError."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, ValueError, TypeError, LookupError) as error:
        reason = " ".join(str(error).split())
        raise CorpusError(f"{path}: {what} ({reason}); {AGAIN}") from error


@contextmanager
def _seekable(path: Location) -> Iterator[IO[bytes]]:
    """The unpacked bytes of ``path`` as a seekable stream; gzip goes to a temporary file."""
    with open_bytes(path) as stream:
        if not is_gzipped(path):
            yield stream
            return
        with tempfile.TemporaryFile() as unpacked:
            shutil.copyfileobj(stream, unpacked)
            unpacked.seek(0)
            yield unpacked


def check_arrow_type(path: Source, name: str, kind: Any) -> None:
    """Raise a CorpusError at an Arrow type whose values are neither texts nor numbers."""
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    plain = (
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_string_view(kind)
        or types.is_integer(kind)
        or types.is_boolean(kind)
        or types.is_floating(kind)
        or types.is_null(kind)
    )
    if not plain:
        raise CorpusError(f"{path}: column {name!r} is of type {kind}; write it as strings")


def arrow_cells(path: Source, name: str, column: Any, first: int) -> list[Any]:
    """Return the values of an Arrow column; raises a CorpusError at one that is not UTF-8."""
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError as error:
        row = first + _undecodable(column)
        raise CorpusError(
            f"{path}: row {row}: {name!r} is not valid UTF-8 ({error}); "
            "write the file again from decoded text"
        ) from error


def _undecodable(column: Any) -> int:
    """Return the index of the first value of ``column`` that does not decode."""
    for index, value in enumerate(column):
        try:
            value.as_py()
        except UnicodeDecodeError:
            return index
    return 0
