"""Rows of an Excel workbook, ``.xlsx``.

Only this module imports ``openpyxl``, which the extra ``manyheads[excel]`` installs. Cells
become strings, much as Excel writes them to CSV: whole numbers without a fraction, days as
2026-01-31.
"""

from __future__ import annotations

import importlib
import sys
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from itertools import islice
from typing import Any

from features.corpus.formats.parquet import seekable
from features.corpus.recognition.dialect import Reading
from features.corpus.rows import ColumnRequest, RowBatch, WholeColumn, check_columns
from features.errors import CorpusError
from features.messages import listed, meant
from features.storage.location import Location

INSTALL = f"{sys.executable} -m pip install openpyxl"
"""The command that installs the library for the Python that runs."""


def excel(
    path: Location,
    wanted: Sequence[ColumnRequest],
    size: int,
    whole: bool,
    reading: Reading,
) -> Iterator[RowBatch]:
    """Yield the rows of a sheet: a header, then one row per text.

    It is the sheet that ``reading`` names, or else the first that is not empty.

    A row without any cell is skipped; ``lines`` are the rows of the sheet.

    Raises:
        CorpusError: ``openpyxl`` is not installed, the file is no workbook, or it has no such
            sheet.
    """
    try:
        openpyxl = importlib.import_module("openpyxl")
    except ImportError as error:
        raise CorpusError(
            f"{path}: Excel files are read with openpyxl, which is not installed; install it "
            f"with: {INSTALL}; or save the sheet as CSV"
        ) from error
    with seekable(path) as stream:
        try:
            book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
        # What it raises over damaged files is of any type: KeyError, ValueError, its own.
        except Exception as error:
            if isinstance(error, OSError) and not isinstance(error, zipfile.BadZipFile):
                raise
            reason = " ".join(str(error).split()) or type(error).__name__
            raise CorpusError(
                f"{path}: no workbook, or a damaged one ({reason}); save it again as .xlsx"
            ) from error
        sheet = reading.dialect.sheet
        if sheet is None:
            title, rows = _first_sheet(path, book)
            others = len(book.worksheets) - 1
            if others:
                more = "another sheet" if others == 1 else f"{others} other sheets"
                reading.say(
                    f"{path}: read the sheet {title!r}; {more} left out (--sheet chooses)"
                )
        else:
            rows = _named_sheet(path, book, sheet)
        yield from _batches(path, rows, wanted, size, whole)


def _first_sheet(path: Location, book: Any) -> tuple[str, Iterator[tuple[int, list[str]]]]:
    """Return the title and the rows (number, cells) of the first sheet that has any."""
    for sheet in book.worksheets:
        if _has_rows(sheet):
            return sheet.title, _rows(sheet)
    raise CorpusError(f"{path}: its sheets are empty; the first needs a header and rows")


def _named_sheet(path: Location, book: Any, name: str) -> Iterator[tuple[int, list[str]]]:
    """Return the rows (number, cells) of a sheet; as in Excel, upper and lower case are one."""
    titles = [sheet.title for sheet in book.worksheets]
    for sheet in book.worksheets:
        if sheet.title.casefold() == name.casefold():
            if _has_rows(sheet):
                return _rows(sheet)
            raise CorpusError(f"{path}: its sheet {sheet.title!r} is empty; choose another")
    raise CorpusError(
        f"{path} has no sheet {name!r}{meant(name, titles)}; --sheet takes one of: "
        f"{listed(map(repr, titles))}"
    )


def _has_rows(sheet: Any) -> bool:
    sheet.reset_dimensions()  # some programs write wrong ones
    return next(_rows(sheet), None) is not None


def _rows(sheet: Any) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the cells of every row of a sheet that has any."""
    for number, values in enumerate(sheet.iter_rows(values_only=True), 1):
        if any(value is not None for value in values):
            yield number, [_written(value) for value in values]


def _batches(
    path: Location,
    rows: Iterator[tuple[int, list[str]]],
    wanted: Sequence[ColumnRequest],
    size: int,
    whole: bool,
) -> Iterator[RowBatch]:
    """Yield the rows of a sheet, the first of which names the columns."""
    _, header = next(rows)
    header = [name.strip() for name in header]
    while not header[-1]:
        header.pop()
    check_columns(path, header, wanted)
    index = {one.name: header.index(one.name) for one in wanted if one.name in header}
    first = 1
    while batch := list(islice(rows, size)):
        cells: dict[str, list[Any]] = {name: _column(batch, at) for name, at in index.items()}
        every: list[WholeColumn] = []
        if whole:
            every = [(name, _column(batch, at)) for at, name in enumerate(header)]
        yield RowBatch(first, [number for number, _ in batch], cells, len(batch), every)
        first += len(batch)


def _column(rows: Sequence[tuple[int, list[str]]], index: int) -> list[str]:
    return [row[index] if index < len(row) else "" for _, row in rows]


def _written(value: object) -> str:
    """Return a cell as Excel writes it to CSV."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    if isinstance(value, (date, time)):
        return value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    return str(value).replace("_x000D_", "")
