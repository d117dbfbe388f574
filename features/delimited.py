"""CSV and TSV as rows (RFC 4180): the separator, the header, and quotes that go astray.

lines -> records (csv) -> rows, where no quote swallowed any -> rows of one width

Files written without quoting hold quotes that open no field. Where such a quote joins
lines that are rows of their own, a TSV is read as it stands and a CSV is refused.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from features.errors import CorpusError
from features.place import Place
from features.rows import RowBatch, Wanted, check_columns
from features.sources import open_lines

# The csv module refuses longer fields; the C long of every platform holds this.
LONGEST_FIELD = 2**31 - 1
SEPARATORS = ",;\t|"
SEP_LINE = re.compile(r'"?sep=([^"\r\n])"?[\r\n]*', re.IGNORECASE)
"""A first line by which Excel is told the separator."""

LOOKED_AT = 4096
"""Rows that are compared with each other to tell quotes that opened no field."""

CERTAIN_LINES = 3
"""So many lines in a row with the right number of tabs are rows of a TSV, not one text."""

DIGITS = re.compile(r"\d+")
UNCLOSED = "unexpected end of data"
"""In the message of the csv module at a quote that stays open."""


class Record(NamedTuple):
    """Fields of one row and where it starts; its lines where it has a quote."""

    line: int
    fields: list[str]
    lines: Sequence[str] = ()


class Shape(NamedTuple):
    """How the rows of a file are cut.

    Attributes:
        delimiter: between two fields.
        most: fields of the header.
        least: fields without the nameless ones at its end, which rows may lack.
    """

    delimiter: str
    most: int
    least: int

    def fits(self, fields: Sequence[str]) -> bool:
        """Return whether a row has as many fields as the header."""
        return self.least <= len(fields) <= self.most

    def unquoted(self, record: Record) -> list[Record]:
        """Return the lines of a record as rows of their own, quotes being plain characters."""
        return [
            Record(record.line + number, line.rstrip("\r\n").split(self.delimiter))
            for number, line in enumerate(record.lines)
            if line.strip("\r\n")
        ]


class Lines:
    """Lines of a file that can be read again from the beginning of the row under way."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.number = 1
        self.row: list[str] = []
        self._again: deque[str] = deque()
        self._lines = lines

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self.row.append(line)
        return line

    def end_row(self, lines: int | None = None) -> None:
        """Let the row end after so many lines, or all; the others are read again."""
        count = len(self.row) if lines is None else lines
        self._again.extendleft(reversed(self.row[count:]))
        self.number += count
        self.row = []


def delimited(
    path: Place, wanted: Sequence[Wanted], size: int, delimiter: str
) -> Iterator[RowBatch]:
    """Rows of CSV or TSV: a header, then rows with as many fields; blank lines are skipped.

    A first line ``sep=;`` names another separator.
    """
    csv.field_size_limit(LONGEST_FIELD)
    with open_lines(path) as stream:
        lines = Lines(stream)
        delimiter = _separator(lines) or delimiter
        header = _header(path, lines, wanted, delimiter)
        check_columns(path, header, wanted)
        fields = {w.name: header.index(w.name) for w in wanted if w.name in header}
        needed = [place for place, name in enumerate(header, 1) if name.strip()]
        least = max(needed + [field + 1 for field in fields.values()])
        shape = Shape(delimiter, len(header), least)
        rows = _checked(path, _separate(path, _records(path, lines, shape), shape), shape)
        first = 1
        while batch := list(islice(rows, size)):
            cells = {
                name: [row.fields[field] for row in batch] for name, field in fields.items()
            }
            yield RowBatch(first, [row.line for row in batch], cells, len(batch))
            first += len(batch)


def _separator(lines: Lines) -> str:
    """Return the separator that a first line names for Excel, if there is one."""
    found = SEP_LINE.fullmatch(next(lines, ""))
    lines.end_row(1 if found else 0)
    return found[1] if found else ""


def _header(path: Place, lines: Lines, wanted: Sequence[Wanted], delimiter: str) -> list[str]:
    """Return the column names.

    Raises:
        CorpusError: there are none, or another separator would give those wanted.
    """
    try:
        names = next(_records(path, lines, Shape(delimiter, 0, 0)), Record(0, [])).fields
    except CorpusError:
        _refuse_separator(path, lines.row[0], [], wanted, delimiter)
        raise
    if not names:
        raise CorpusError(f"{path}: the file is empty; it needs a header and rows")
    required = {w.name for w in wanted if w.required}
    if not required <= set(names):
        _refuse_separator(path, delimiter.join(names), names, wanted, delimiter)
    return names


def _refuse_separator(
    path: Place, line: str, names: list[str], wanted: Sequence[Wanted], delimiter: str
) -> None:
    """Raise a CorpusError where another separator gives the columns that are missing."""
    if line.lstrip().startswith(("{", "[")):
        raise CorpusError(f"{path}: it looks like JSON; name it .jsonl, one object a line")
    required = {w.name for w in wanted if w.required}
    for other in SEPARATORS.replace(delimiter, ""):
        found = next(csv.reader([re.split(r"[\r\n]", line)[0]], delimiter=other), [])
        if required <= set(found) or len(names) < 2 <= len(found):
            shown = r"\t" if other == "\t" else other
            raise CorpusError(
                f"{path}: its columns are separated by {other!r}, not by {delimiter!r}; put "
                f"the line sep={shown} above the header, or write CSV with commas or TSV with "
                "tabs"
            )


def _records(path: Place, lines: Lines, shape: Shape) -> Iterator[Record]:
    """Records as the quotes cut them, blank lines skipped.

    A line of a TSV that does not parse, but has the right number of tabs, is a row as it
    stands: its quotes are plain characters.
    """
    reader = csv.reader(lines, delimiter=shape.delimiter, strict=True)
    while True:
        line = lines.number
        try:
            fields = next(reader, None)
        except csv.Error as error:
            plain = _plain(Record(line, [], lines.row), shape, str(error))
            if plain is None:
                raise CorpusError(_unparsed(path, line, str(error))) from error
            lines.end_row(1)
            yield plain
            continue
        if fields is None:
            return
        quoted = len(lines.row) > 1 or '"' in lines.row[0]
        record = Record(line, fields, lines.row if quoted else ())
        lines.end_row()
        if fields:
            yield record


def _plain(record: Record, shape: Shape, error: str) -> Record | None:
    """Return the first line of a record that does not parse, as it stands, if that is a row."""
    rows = shape.unquoted(record) if shape.delimiter == "\t" else []
    if not rows or not shape.fits(rows[0].fields):
        return None
    # A quote that never closes in the last line may as well be a text that was cut off.
    if UNCLOSED in error and (len(rows) < 2 or not all(shape.fits(r.fields) for r in rows)):
        return None
    return rows[0]


def _unparsed(path: Place, line: int, error: str) -> str:
    rule = "a quote that opens in it never closes" if UNCLOSED in error else error
    return (
        f"{path}:{line}: the row does not parse: {rule}; "
        'quote the whole field and write a quote inside it as ""'
    )


def _separate(path: Place, records: Iterator[Record], shape: Shape) -> Iterator[Record]:
    """The same rows, where a quote that opens no field swallowed none.

    Raises:
        CorpusError: it did, in a CSV.
    """
    number = 1
    while chunk := list(islice(records, LOOKED_AT)):
        swallowing = _swallowing(chunk, shape)
        for place, record in enumerate(chunk):
            if place not in swallowing:
                rows = [record]
            elif shape.delimiter == "\t":
                rows = shape.unquoted(record)
            else:
                raise CorpusError(
                    f"{path}:{record.line}: row {number}: a quote that opens here joins "
                    f"{len(record.lines)} lines that look like rows of their own; put the "
                    'field in quotes and write a quote inside it as "" (if one text does hold '
                    "these lines, write the file as JSON Lines)"
                )
            yield from rows
            number += len(rows)


def _swallowing(chunk: Sequence[Record], shape: Shape) -> set[int]:
    """Return the places of records whose lines are rows that a stray quote joined.

    Read without quotes, every line of the chunk has the right number of fields, as in a
    file that was written without quoting, and something else tells that the lines of the
    record are rows: they have, in one of the columns, values that other rows have there;
    or other rows hold quotes that a writer who quotes would have doubled.
    """
    several = {place for place, record in enumerate(chunk) if len(record.lines) > 1}
    if not several:
        return set()
    cut = {place: shape.unquoted(record) for place, record in enumerate(chunk) if record.lines}
    if not all(shape.fits(row.fields) for rows in cut.values() for row in rows):
        return set()
    others = [
        row
        for place, record in enumerate(chunk)
        if place not in several
        for row in cut.get(place, [record])
    ]
    if any('"' in cell[1:] and cell[0] != '"' for row in others for cell in row.fields):
        return several
    usual = [{_folded(cell) for cell in column} for column in _columns(others, shape.most)]
    return {
        place
        for place in several
        if any(
            all(cell and _folded(cell) in known for cell in column)
            for column, known in zip(_columns(cut[place], shape.most), usual, strict=True)
            if shape.most > 1
        )
        or (shape.delimiter == "\t" and shape.most > 1 and len(cut[place]) >= CERTAIN_LINES)
    }


def _columns(rows: Sequence[Record], width: int) -> list[list[str]]:
    """Return the cells of every column, "" where a row has none."""
    return [
        [row.fields[field] if field < len(row.fields) else "" for row in rows]
        for field in range(width)
    ]


def _folded(cell: str) -> str:
    """Return a cell as values of one column are compared: numbers count as alike."""
    return DIGITS.sub("0", cell)


def _checked(path: Place, rows: Iterator[Record], shape: Shape) -> Iterator[Record]:
    """The same rows; raises a CorpusError at one with another number of fields."""
    for number, row in enumerate(rows, 1):
        if not shape.fits(row.fields):
            raise CorpusError(
                f"{path}:{row.line}: row {number}: wrong number of fields: {len(row.fields)} "
                f"for {shape.most} columns; quote a field that holds the separator or a line "
                "break"
            )
        yield row
