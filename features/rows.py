"""Rows of a data file or hub data set, streamed in batches: CSV, TSV, JSON Lines, Parquet.

This room knows how each format is cut into rows and where a row that does not parse
stands. What the cells mean (texts, labels, splits) is for ``corpus``.
"""

from __future__ import annotations

import csv
import importlib
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import IO, Any

from features.errors import CorpusError, listed
from features.place import HubName, Place, Source
from features.sources import check_file, is_gzipped, open_bytes, open_lines, readable, suffix_of

# The csv module refuses longer fields; the C long of every platform holds this.
LONGEST_FIELD = 2**31 - 1
ONE_A_LINE = "write one JSON object a line"


@dataclass(frozen=True)
class Wanted:
    """A column to read, the command's option that names another, and whether it must exist."""

    name: str
    option: str
    required: bool = True


@dataclass(frozen=True)
class RowBatch:
    """Consecutive data rows of one file.

    Attributes:
        first: number of the first row. Data rows are counted from 1; the header and blank
            lines are not rows.
        lines: file line on which each row starts, from 1; None where the format has none.
        cells: wanted column -> one value a row (None: missing). A wanted column that no
            row of the batch has is absent.
        size: rows in the batch.
    """

    first: int
    lines: list[int] | None
    cells: dict[str, list[Any]]
    size: int

    def number(self, index: int) -> str:
        """``7 (line 9)``: the number of a row, with its file line where there is one."""
        return f"{self.first + index}" + (f" (line {self.lines[index]})" if self.lines else "")

    def place(self, path: Source, index: int) -> str:
        """``file:line: row 7``: where a row stands, for the start of a message."""
        line = f":{self.lines[index]}" if self.lines else ""
        return f"{path}{line}: row {self.first + index}"


def row_batches(path: Source, wanted: Sequence[Wanted], size: int = 4096) -> Iterator[RowBatch]:
    """The rows of ``path``, at most ``size`` at a time, with the wanted columns it has.

    Memory holds one batch; a gzipped Parquet file is unpacked to a temporary file.

    Raises:
        CorpusError: no such file, a folder, an unknown suffix, a file that is empty or
            cannot be read or decoded, a missing or repeated column, a bad row.
    """
    if isinstance(path, HubName):
        # The library of the hub is slow to import, and no file needs it.
        yield from importlib.import_module("features.hub").hub_batches(path, wanted, size)
        return
    check_file(path)
    rows = 0
    with readable(path):
        for batch in READERS[suffix_of(path)](path, wanted, size):
            rows += batch.size
            yield batch
    if not rows:
        raise CorpusError(f"{path}: a header but no data rows; add rows or name another file")


def clipped(value: object, most: int = 40) -> str:
    """``value`` quoted on one line for a message, cut where it is long."""
    shown = repr(value)
    return shown if len(shown) <= most else f"{shown[: most - 3]}..."


def check_columns(place: Place | str, names: Sequence[str], wanted: Sequence[Wanted]) -> None:
    """Raise a CorpusError where a column name repeats or a required column is missing."""
    repeated = [clipped(name) for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise CorpusError(
            f"{place}: duplicate column names: {listed(repeated)}; give each its own name"
        )
    for column in wanted:
        if column.required and column.name not in names:
            raise CorpusError(
                f"{place}: no column {column.name!r}; the columns are "
                f"{listed(clipped(name) for name in names)}; choose one with {column.option}"
            )


def _delimited(
    path: Place, wanted: Sequence[Wanted], size: int, delimiter: str
) -> Iterator[RowBatch]:
    """CSV or TSV (RFC 4180): a header, then rows with as many fields; blank lines skipped."""
    csv.field_size_limit(LONGEST_FIELD)
    with open_lines(path) as lines:
        rows = _parsed(path, csv.reader(lines, delimiter=delimiter, strict=True))
        _, header = next(rows, (0, []))
        if not header:
            raise CorpusError(f"{path}: the file is empty; it needs a header and rows")
        _refuse_separator(path, header, wanted, delimiter)
        check_columns(path, header, wanted)
        fields = {w.name: header.index(w.name) for w in wanted if w.name in header}
        checked = _of_width(path, rows, len(header))
        first = 1
        while batch := list(islice(checked, size)):
            cells = {name: [row[field] for _, row in batch] for name, field in fields.items()}
            yield RowBatch(first, [line for line, _ in batch], cells, len(batch))
            first += len(batch)


def _refuse_separator(
    path: Place, header: list[str], wanted: Sequence[Wanted], delimiter: str
) -> None:
    """Raise a CorpusError where another separator would give the columns that are missing."""
    required = {w.name for w in wanted if w.required}
    if len(header) > 1 or required <= set(header):
        return
    for other in ",;\t|":
        if other != delimiter and required <= set(header[0].split(other)):
            raise CorpusError(
                f"{path}: its columns are separated by {other!r}, not by {delimiter!r}; "
                "write CSV with commas or TSV with tabs"
            )


def _parsed(path: Place, reader: Any) -> Iterator[tuple[int, list[str]]]:
    """(line on which it starts, fields) of every row that is not a blank line."""
    end = 0
    try:
        for fields in reader:
            if fields:
                yield end + 1, fields
            end = reader.line_num
    except csv.Error as error:
        unclosed = "unexpected end of data" in str(error)
        rule = "a quote that opens in it never closes" if unclosed else str(error)
        raise CorpusError(
            f"{path}:{end + 1}: the row does not parse: {rule}; "
            'quote the whole field and write a quote inside it as ""'
        ) from error


def _of_width(
    path: Place, rows: Iterator[tuple[int, list[str]]], width: int
) -> Iterator[tuple[int, list[str]]]:
    """The same rows; raises a CorpusError at one that has not ``width`` fields."""
    for number, (line, fields) in enumerate(rows, 1):
        if len(fields) != width:
            raise CorpusError(
                f"{path}:{line}: row {number}: wrong number of fields: {len(fields)} for "
                f"{width} columns; quote a field that holds the separator or a line break"
            )
        yield line, fields


class _Pairs(tuple[tuple[str, Any], ...]):
    """The (name, value) pairs of a JSON object, in order, with repeated names."""

    __slots__ = ()


def _json_lines(path: Place, wanted: Sequence[Wanted], size: int) -> Iterator[RowBatch]:
    """One JSON object a line (jsonlines.org); blank lines are skipped.

    Rows may lack a column, so which columns exist is judged on the first batch.
    """
    # Only \n ends a line: JSON allows a bare \r between its tokens.
    with open_lines(path, newline="\n") as lines:
        objects = _objects(path, lines, [w.name for w in wanted])
        first = 1
        while batch := list(islice(objects, size)):
            names = {name for _, row in batch for name in row}
            if first == 1:
                check_columns(path, sorted(names), wanted)
            cells = {
                w.name: [row.get(w.name) for _, row in batch] for w in wanted if w.name in names
            }
            yield RowBatch(first, [line for line, _ in batch], cells, len(batch))
            first += len(batch)
    if first == 1:
        raise CorpusError(f"{path}: the file is empty; {ONE_A_LINE}")


def _objects(
    path: Place, lines: Iterator[str], names: Sequence[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line, object) of every line that is not blank."""
    decode = json.JSONDecoder(object_pairs_hook=_Pairs).decode
    for number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        place = f"{path}:{number}"
        try:
            pairs = decode(line)
        except json.JSONDecodeError as error:
            where = f"{error.msg} at column {error.colno}"
            raise CorpusError(f"{place}: not JSON: {where}; {ONE_A_LINE}") from error
        except (ValueError, RecursionError) as error:
            raise CorpusError(f"{place}: JSON beyond reading: {error}; {ONE_A_LINE}") from error
        if not isinstance(pairs, _Pairs):
            raise CorpusError(f"{place}: not a JSON object: {clipped(pairs)}; {ONE_A_LINE}")
        row = dict(pairs)
        if len(row) != len(pairs):
            check_columns(place, [name for name, _ in pairs], ())
        if "\\ud" in line or "\\uD" in line:
            _refuse_surrogates(place, row, names)
        yield number, row


def _refuse_surrogates(place: str, row: dict[str, Any], names: Sequence[str]) -> None:
    """Raise a CorpusError where a cell holds half of a surrogate pair, which is no text."""
    for name in names:
        value = row.get(name)
        if isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value):
            raise CorpusError(
                f"{place}: a lone surrogate in {name!r}: {clipped(value)}; "
                "write the character whole, or drop it"
            )


def _parquet(path: Place, wanted: Sequence[Wanted], size: int) -> Iterator[RowBatch]:
    """Parquet, a few row groups in memory at a time."""
    # pyarrow is slow to import, and no other format needs it.
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _seekable(path) as stream:
        if not stream.read(1):
            raise CorpusError(f"{path}: the file is empty; write the Parquet file again")
        try:
            file = pq.ParquetFile(stream, page_checksum_verification=True)
            schema = file.schema_arrow
            check_columns(path, schema.names, wanted)
            names = [w.name for w in wanted if w.name in schema.names]
            for name in names:
                check_arrow_type(path, name, schema.field(name).type)
            first = 1
            for batch in file.iter_batches(batch_size=size, columns=names):
                cells = {
                    name: arrow_cells(path, name, batch.column(name), first) for name in names
                }
                yield RowBatch(first, None, cells, batch.num_rows)
                first += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            reason = " ".join(str(error).split())
            raise CorpusError(
                f"{path}: corrupt or no Parquet ({reason}); write or download it again"
            ) from error


@contextmanager
def _seekable(path: Place) -> Iterator[IO[bytes]]:
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
    """The values of an Arrow column; raises a CorpusError at one that is not UTF-8."""
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError as error:
        row = first + _undecodable(column)
        raise CorpusError(
            f"{path}: row {row}: {name!r} is not valid UTF-8 ({error}); "
            "write the file again from decoded text"
        ) from error


def _undecodable(column: Any) -> int:
    """Index of the first value of ``column`` that does not decode."""
    for index, value in enumerate(column):
        try:
            value.as_py()
        except UnicodeDecodeError:
            return index
    return 0


Reader = Callable[[Place, Sequence[Wanted], int], Iterator[RowBatch]]

READERS: dict[str, Reader] = {
    ".csv": partial(_delimited, delimiter=","),
    ".tsv": partial(_delimited, delimiter="\t"),
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".parquet": _parquet,
}
