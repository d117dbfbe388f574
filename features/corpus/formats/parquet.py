"""Reader of Parquet: one file, or a folder of files that are parts of one table.

Parts are read one after another, in the order of their names. A folder named ``key=value``
(as Spark, pandas and DuckDB write partitions) adds a column ``key`` with that value to all
rows in it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote

from features.corpus.recognition.dialect import Reading
from features.corpus.recognition.signatures import HEAD_BYTES, foreign, wide_encoding
from features.corpus.rows import ColumnRequest, RowBatch, WholeColumn, check_columns
from features.corpus.source import Source
from features.corpus.streams import (
    TABLES,
    check_file,
    is_packed,
    open_bytes,
    readable,
    suffix_of,
)
from features.errors import CorpusError
from features.storage.location import Location

SUFFIX, MAGIC = ".parquet", b"PAR"
HIDDEN = ("_", ".")
"""First characters of names that are not parts: markers, checksums, editor backups."""

MISSING = "__HIVE_DEFAULT_PARTITION__"
AGAIN = "write or download it again"

Parts = dict[Location, dict[str, str | None]]
"""File -> the cells that the names of its folders give to all of its rows."""


def parts_of(folder: Location) -> Parts:
    """Return the parts of a table in the order of their names; {} if a folder is no table.

    A table is a folder that holds only Parquet files and folders ``key=value``. A folder with
    any other folder or data file in it is not a table, since it may be something else.
    """
    entries = _visible(folder)
    if any(suffix_of(entry) in TABLES and suffix_of(entry) != SUFFIX for entry in entries):
        return {}
    parts: Parts = {}
    for entry in entries:
        if entry.is_dir():
            key, equals, value = entry.name.partition("=")
            if not (equals and key):
                return {}
            _refuse_loop(folder, entry)
            cell = {unquote(key): None if value == MISSING else unquote(value)}
            inner = parts_of(entry)
            if not inner and _visible(entry):
                return {}
            parts |= {file: cell | cells for file, cells in inner.items()}
        elif suffix_of(entry) == SUFFIX:
            parts[entry] = {}
    return parts


def _refuse_loop(folder: Location, entry: Location) -> None:
    """Raise a CorpusError at a link to a folder around it: its rows would come many times."""
    if (
        isinstance(entry, Path)
        and entry.is_symlink()
        and Path(str(folder)).resolve().is_relative_to(entry.resolve())
    ):
        raise CorpusError(
            f"{entry}: is a symbolic link to a folder that it stands in, so its rows would be "
            "read again and again; remove it"
        )


def _visible(folder: Location) -> list[Location]:
    """Return the entries of a folder in the order of their names, without hidden ones."""
    entries = (entry for entry in folder.iterdir() if not entry.name.startswith(HIDDEN))
    return sorted(entries, key=lambda entry: entry.name)


def parquet_parts(
    parts: Parts, wanted: Sequence[ColumnRequest], size: int, whole: bool = False
) -> Iterator[RowBatch]:
    """Yield the rows of all parts; the row numbers continue from part to part."""
    first = 1
    for file, cells in parts.items():
        with readable(file):
            check_file(file)
            for batch in parquet(file, wanted, size, whole, constant=cells):
                yield replace(batch, first=first)
                first += batch.size


def parquet(
    path: Location,
    wanted: Sequence[ColumnRequest],
    size: int,
    whole: bool = False,
    reading: Reading | None = None,
    constant: dict[str, str | None] | None = None,
) -> Iterator[RowBatch]:
    """Yield the rows of one file, with a few row groups in memory at a time.

    Args:
        reading: is not needed: the format says how it is written.
        constant: cells of all rows, for columns that are not in the file.
    """
    # pyarrow is slow to import, and no other format needs it.
    import pyarrow.parquet as pq

    constant = constant or {}
    with seekable(path) as stream, sound(path, "corrupt or no Parquet"):
        head = stream.read(HEAD_BYTES)
        if not head:
            raise CorpusError(f"{path}: the file is empty; write the Parquet file again")
        if not head.startswith(MAGIC):
            wide = wide_encoding(head)
            meaning = f"it is text in {wide}: name it .csv" if wide else foreign(head)
            if meaning:
                raise CorpusError(f"{path}: no Parquet: {meaning}")
        file = pq.ParquetFile(stream, page_checksum_verification=True)
        schema = file.schema_arrow
        check_columns(path, [*schema.names, *(constant.keys() - set(schema.names))], wanted)
        names = [w.name for w in wanted if w.name in schema.names]
        for name in names:
            check_arrow_type(path, name, schema.field(name).type)
        given = [w.name for w in wanted if w.name in constant and w.name not in names]
        read = None if whole else names
        first = 1
        for batch in file.iter_batches(batch_size=size, columns=read):
            cells = {name: arrow_cells(path, name, batch.column(name), first) for name in names}
            cells |= {name: [constant[name]] * batch.num_rows for name in given}
            every: list[WholeColumn] = []
            if whole:
                every = [*zip(schema.names, batch.columns, strict=True)]
                every += [
                    (name, [value] * batch.num_rows)
                    for name, value in constant.items()
                    if name not in schema.names
                ]
            yield RowBatch(first, None, cells, batch.num_rows, every)
            first += batch.num_rows


@contextmanager
def sound(path: Source, what: str) -> Iterator[None]:
    """Turn any error of pyarrow on damaged or unusual data into a CorpusError."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, ValueError, TypeError, LookupError) as error:
        reason = " ".join(str(error).split())
        raise CorpusError(f"{path}: {what} ({reason}); {AGAIN}") from error


@contextmanager
def seekable(path: Location) -> Iterator[IO[bytes]]:
    """Open the unpacked bytes as a seekable stream; what is packed is unpacked to a temporary
    file."""
    with open_bytes(path) as stream:
        if not is_packed(path):
            yield stream
            return
        with tempfile.TemporaryFile() as unpacked:
            shutil.copyfileobj(stream, unpacked)
            unpacked.seek(0)
            yield unpacked


def check_arrow_type(path: Source, name: str, kind: Any) -> None:
    """Raise a CorpusError if the values of an Arrow type are neither texts nor numbers."""
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
    """Return the values of an Arrow column. Raises a CorpusError if one is not UTF-8."""
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
