"""Files of rows for people and other tools: CSV, TSV, JSON Lines or Parquet, in batches.

    names, types -> open_rows -> write(columns of some rows), as often as wanted

A file appears complete or not at all (``features.outputs.output.appearing``).
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from features.corpus.recognition.dialect import RECOGNISED, Dialect
from features.corpus.rows import ABSENT
from features.outputs.output import appearing
from pipeline import spreadsheet

DELIMITERS = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (*DELIMITERS, ".jsonl", ".parquet")
"""Suffixes of the formats that are written."""

Types = Mapping[str, pa.DataType]
"""The columns: Arrow type by name, in order."""

Write = Callable[[Sequence[Sequence[Any]]], None]
"""Takes the columns of some rows, each a list of Python values or an Arrow array."""


@contextmanager
def open_rows(
    path: Path, option: str, types: Types, escape: bool = False, like: Dialect = RECOGNISED
) -> Iterator[Write]:
    """Yield a function that writes rows to a file, which appears when the block succeeds.

    Args:
        path: the file; its suffix, one of ``SUFFIXES``, decides the format.
        option: the option that named it, for messages.
        types: of its columns; CSV, TSV and JSON Lines need the names alone.
        escape: put an apostrophe before cells of CSV and TSV that a spreadsheet would run.
        like: how the file was written that the rows are of. A CSV has its separator, and where
            that one was not in UTF-8 a byte-order mark, by which Excel recognises UTF-8.

    Raises:
        OutputError: the file cannot be written.
    """
    with appearing(path, option) as temporary:
        if path.suffix == ".parquet":
            yield from _parquet(temporary, types)
        elif path.suffix == ".jsonl":
            yield from _json_lines(temporary, types)
        else:
            delimiter = like.delimiter if path.suffix == ".csv" else None
            encoding = "utf-8" if like.encoding is None else "utf-8-sig"
            delimiter = delimiter or DELIMITERS[path.suffix]
            yield from _delimited(temporary, types, delimiter, encoding, escape)


def _delimited(
    path: Path, types: Types, delimiter: str, encoding: str, escape: bool
) -> Iterator[Write]:
    safe = spreadsheet.escaped if escape else list
    with path.open("w", encoding=encoding, errors="backslashreplace", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(safe(types))

        def write(columns: Sequence[Sequence[Any]]) -> None:
            texts = [cells_as_text(column) for column in columns]
            writer.writerows(safe(row) for row in zip(*texts, strict=True))

        yield write


def _json_lines(path: Path, types: Types) -> Iterator[Write]:
    with path.open("w", encoding="utf-8", errors="backslashreplace") as file:

        def write(columns: Sequence[Sequence[Any]]) -> None:
            for values in zip(*map(_json_values, columns), strict=True):
                row = zip(types, values, strict=True)
                cells = {name: value for name, value in row if value is not ABSENT}
                file.write(json.dumps(cells, ensure_ascii=False) + "\n")

        yield write


def _parquet(path: Path, types: Types) -> Iterator[Write]:
    import pyarrow.parquet as pq  # slow to import, and no other format needs it

    schema = pa.schema(list(types.items()))
    with pq.ParquetWriter(path, schema) as writer:

        def write(columns: Sequence[Sequence[Any]]) -> None:
            pairs = zip(columns, types.values(), strict=True)
            arrays = [_array(column, kind) for column, kind in pairs]
            writer.write_table(pa.table(arrays, schema=schema))

        yield write


def cells_as_text(column: Sequence[Any]) -> Sequence[Any]:
    """Return the cells of a column as CSV holds them; what is missing is empty."""
    if isinstance(column, (pa.Array, pa.ChunkedArray)):
        column = _values(column)
    if set(map(type, column)) <= {str, int, float}:
        return column
    return [_text(cell) for cell in column]


def _text(cell: Any) -> Any:
    if cell is None or cell is ABSENT:
        return ""
    if isinstance(cell, (dict, list)):
        return json.dumps(cell, ensure_ascii=False, default=str)
    return cell


def _json_values(column: Sequence[Any]) -> Sequence[Any]:
    """Return the cells of a column as JSON holds them."""
    if not isinstance(column, (pa.Array, pa.ChunkedArray)):
        return column
    values = _values(column)
    if any(isinstance(cell, (dict, list)) for cell in values):
        return [json.loads(json.dumps(cell, default=str)) for cell in values]
    if pa.types.is_floating(column.type):
        return [None if cell is None or math.isnan(cell) else cell for cell in values]
    return values


def _values(column: pa.Array | pa.ChunkedArray) -> list[Any]:
    """Return an Arrow column as Python values; times, decimals and bytes as text."""
    kind = column.type
    plain = (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_nested(kind)
        or pa.types.is_dictionary(kind)
    )
    if not plain:
        try:
            column = column.cast(pa.string())
        except pa.ArrowException:  # bytes that are no text, or a type of another program
            return [None if cell is None else str(cell) for cell in column.to_pylist()]
    return list(column.to_pylist())


def _array(column: Sequence[Any], kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    """Return a column as Arrow values of a type."""
    if isinstance(column, (pa.Array, pa.ChunkedArray)):
        if column.type == kind:
            return column
        column = _values(column)
    cells = [None if cell is ABSENT else cell for cell in column]
    if pa.types.is_string(kind):
        cells = [
            cell
            if cell is None or isinstance(cell, str)
            else json.dumps(cell, ensure_ascii=False, default=str)
            for cell in cells
        ]
    return pa.array(cells, kind)
